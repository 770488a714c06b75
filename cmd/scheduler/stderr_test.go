package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// The test's own binary is the daemon when this variable is set.
const asDaemon = "REDPOLL_TEST_AS_DAEMON"

func TestMain(m *testing.M) {
	if os.Getenv(asDaemon) != "" {
		main()
	}
	os.Exit(m.Run())
}

// With -log-format json each line on stderr is JSON, also while Redis is away.
func TestStderrIsJSON(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-redis", "redis://127.0.0.1:1/0", "-listen", "", "-log-format", "json")
	cmd.Env = append(os.Environ(), asDaemon+"=1")
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if !json.Valid(lines.Bytes()) {
			t.Errorf("line %q is no JSON", lines.Text())
		}
		if bytes.Contains(lines.Bytes(), []byte("waiting for redis")) {
			_ = cmd.Process.Signal(syscall.SIGTERM)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the daemon ended with %v", err)
	}
}
