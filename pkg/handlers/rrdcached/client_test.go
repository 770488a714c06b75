package rrdcached

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redpoll/redpoll/internal/peertest"
	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/handlers/internal/handlertest"
)

// sink is an rrdcached that takes everything.
func sink(t testing.TB) (port int) {
	return peertest.Accept(t, func(nc net.Conn) { _ = serve(nc, func([]string) string { return "0 errors\n" }) })
}

// serve answers batches.
func serve(nc net.Conn, answer func(commands []string) string) error {
	in := bufio.NewReader(nc)
	for {
		line, err := in.ReadString('\n')
		if err != nil || line != "BATCH\n" {
			return fmt.Errorf("%q: %w", line, err)
		}
		fmt.Fprint(nc, "0 Go ahead.  End with dot '.' on its own line.\n")
		var commands []string
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return err
			}
			if line == ".\n" {
				break
			}
			commands = append(commands, line)
		}
		fmt.Fprint(nc, answer(commands))
	}
}

// TestStrangeServers: whatever a server says, the sender does not stumble.
func TestStrangeServers(t *testing.T) {
	t.Parallel()
	ahead := "0 Go ahead.\n"
	for _, tt := range []struct{ name, answer, want string }{
		{"nothing", "", "EOF"},
		{"no protocol", "HTTP/1.1 400 Bad Request\r\n", `says "HTTP/1.1 400`},
		{"forbidden", "-1 Permission denied.\n", "Permission denied"},
		{"too long", "0 " + strings.Repeat("x", 10<<10), "buffer full"},
		{"too many", ahead + "3 errors\n1 a\n2 b\n2 c\n", "3 errors for 2 commands"},
		{"cut", ahead + "2 errors\n1 a\n", "EOF"},
		{"no number", ahead + "1 errors\nx y\n", `says "x y" about no command`},
		{"out of range", ahead + "1 errors\n3 y\n", `says "3 y" about no command`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			port := peertest.Accept(t, func(nc net.Conn) {
				_, _ = bufio.NewReader(nc).ReadString('\n')
				fmt.Fprint(nc, tt.answer)
			})
			c := client{network: "tcp", addr: fmt.Sprint("127.0.0.1:", port)}
			defer c.close()
			_, err := c.batch(t.Context(), []byte("a\nb\n"), 2)
			if reset := "connection reset"; err == nil || !strings.Contains(err.Error(), tt.want) && !strings.Contains(err.Error(), reset) {
				t.Errorf("batch = %v, want %q", err, tt.want)
			}
			if c.conn != nil {
				t.Error("the connection is still there")
			}
		})
	}
}

// TestHungUp: a connection that the server closed in a quiet time costs nothing.
func TestHungUp(t *testing.T) {
	t.Parallel()
	calls := make(chan net.Conn, 10)
	port := peertest.Accept(t, func(nc net.Conn) {
		calls <- nc
		_ = serve(nc, func([]string) string { return "1 errors\n1 why\n" })
	})
	c := client{network: "tcp", addr: fmt.Sprint("127.0.0.1:", port)}
	defer c.close()
	for range 3 {
		refused, err := c.batch(t.Context(), []byte("a\n"), 1)
		if err != nil || len(refused) != 1 || refused[0] != (refusal{0, "why"}) {
			t.Fatalf("batch = %v, %v", refused, err)
		}
		(<-calls).Close()
	}
}

// TestHangs: a server that says nothing is left when the context ends.
func TestHangs(t *testing.T) {
	t.Parallel()
	port := peertest.Accept(t, func(nc net.Conn) {
		_, _ = nc.Read(make([]byte, 100))
		_, _ = nc.Read(make([]byte, 1))
	})
	c := client{network: "tcp", addr: fmt.Sprint("127.0.0.1:", port)}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.batch(ctx, []byte("a\n"), 1); err == nil || c.conn != nil {
		t.Errorf("batch = %v, want an error", err)
	}
}

// TestRefused: which refusals lose a value, and which make a file.
func TestRefused(t *testing.T) {
	t.Parallel()
	var batches [][]string
	port := peertest.Accept(t, func(nc net.Conn) {
		_ = serve(nc, func(commands []string) string {
			batches = append(batches, commands)
			if len(batches) > 1 { // CREATE, UPDATE, CREATE, UPDATE
				return "3 errors\n1 RRD Error: creating 'x': File exists\n3 RRD Error: no place\n4 No such file: x\n"
			}
			return "5 errors\n1 No such file: x\n2 illegal attempt to update using time 1767225600.000000 when last update time is 1767225600.000000 (minimum one second step)\n" +
				"3 illegal attempt to update using time 1767225600.000000 when last update time is 1767225601.000000 (minimum one second step)\n4 No such file: x\n5 Permission denied\n"
		})
	})
	h := open(t, map[string]any{"addr": fmt.Sprint("127.0.0.1:", port)})
	if err := h.Process(t.Context(), handlertest.Event("web1")); err != nil {
		t.Fatal(err)
	}
	handlertest.Close(t, h)
	if s := h.Stats(); s != (check.OutputStats{Capacity: 100_000, Sent: 3, Failed: 3}) {
		t.Errorf("Stats = %+v, want the third, fourth and fifth failed", s)
	}
	if len(batches) != 2 || len(batches[0]) != 6 || len(batches[1]) != 4 || !strings.HasPrefix(batches[1][0], "CREATE default/web1/resp_seconds.rrd ") {
		t.Errorf("commands %q", batches)
	}
}

// TestRepeated: an answer that is lost makes the batch come again.
func TestRepeated(t *testing.T) {
	t.Parallel()
	n := 0
	port := peertest.Accept(t, func(nc net.Conn) {
		_ = serve(nc, func([]string) string {
			if n++; n == 1 {
				nc.Close()
			}
			return "0 errors\n"
		})
	})
	h := open(t, map[string]any{"addr": fmt.Sprint("127.0.0.1:", port), "flush": "1ms"})
	if err := h.Process(t.Context(), handlertest.Event("web1")); err != nil {
		t.Fatal(err)
	}
	handlertest.Eventually(t, func() error {
		if s := h.Stats(); s.Sent != handlertest.Values || s.Retries != 1 || s.Failed != 0 {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
}
