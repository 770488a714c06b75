package http

import (
	"encoding/json"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	nethttp "net/http"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
)

const serveEnv = "REDPOLL_HTTP_SERVE"

// TestMain makes the test binary the server of BenchmarkRun when it is asked
// to: in a process of its own, so that the benchmark's CPU time is the
// client's alone.
func TestMain(m *testing.M) {
	if os.Getenv(serveEnv) == "" {
		os.Exit(m.Run())
	}
	s := httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, _ *nethttp.Request) { _, _ = io.WriteString(w, "hello") }))
	defer s.Close()
	_, _ = io.WriteString(os.Stdout, s.URL+"\n")
	_, _ = io.Copy(io.Discard, os.Stdin) // until the benchmark ends
}

func BenchmarkRun(b *testing.B) {
	server := exec.CommandContext(b.Context(), os.Args[0])
	server.Env = append(os.Environ(), serveEnv+"=1")
	out, err := server.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	in, err := server.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() { in.Close(); _ = server.Wait() }()
	line := make([]byte, 100)
	n, err := out.Read(line)
	if err != nil {
		b.Fatal(err)
	}
	cmd, err := factory(tools.Tools{})(json.RawMessage(p(b, "url", strings.TrimSpace(string(line[:n])), "resp_warn", "0s", "resp_crit", "0s")))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	before := cpuTime(b)
	for b.Loop() {
		if res, err := cmd.Run(b.Context(), check.Run{}); err != nil || res.State != check.StateOK {
			b.Fatalf("Run = %+v, %v", res, err)
		}
	}
	b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(b.N), "cpu-us/op")
}
