package porttest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

const envFile = "REDPOLL_PORTTEST"

// TestMain is the test, or another process that tries to have a port of it.
func TestMain(m *testing.M) {
	if file := os.Getenv(envFile); file != "" {
		fmt.Println(reserve(file))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestTake(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	taken := map[int]bool{}
	for range 500 {
		port, err := Take()
		if err != nil || taken[port] || port < first || port >= beyond {
			t.Fatalf("Take = %d, %v; it has given %d ports", port, err, len(taken))
		}
		taken[port] = true
	}
}

// A port stays with the process that has it, and is free again when it ends.
func TestReserve(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "1")
	want := func(said string) {
		t.Helper()
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), envFile+"="+file)
		if out, err := cmd.CombinedOutput(); err != nil || string(out) != said+"\n" {
			t.Fatalf("another process says %q, %v; want %q", out, err, said)
		}
	}
	want("true <nil>")
	if ours, err := reserve(file); !ours || err != nil {
		t.Fatalf("reserve = %v, %v behind a process that has ended", ours, err)
	}
	want("false <nil>")
	if ours, err := reserve(filepath.Join(file, "2")); ours || err == nil {
		t.Errorf("reserve of a file that cannot be = %v, %v", ours, err)
	}
}

func TestUnused(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, port := range []int{l.Addr().(*net.TCPAddr).Port, c.LocalAddr().(*net.UDPAddr).Port} {
		if unused(port) {
			t.Errorf("port %d is unused, and somebody listens there", port)
		}
	}
}
