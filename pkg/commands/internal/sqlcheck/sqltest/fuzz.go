package sqltest

import (
	"fmt"
	"io"
	"net"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/redpoll/redpoll/internal/peertest"
	"github.com/redpoll/redpoll/pkg/check"
)

// fuzzTimeout is what a run may take; the peer of Fuzz ends at once.
const fuzzTimeout = 5 * time.Second

// Fuzz lets servers answer the command with any bytes: it has to end, and to
// say something that can be shown.
func Fuzz(f *testing.F, factory check.CommandFactory, seeds ...string) {
	f.Helper()
	for _, seed := range seeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		port := peertest.Accept(t, func(nc net.Conn) {
			_, _ = nc.Write(answer)
			if tc, ok := nc.(*net.TCPConn); ok {
				_ = tc.CloseWrite()
			}
			_, _ = io.Copy(io.Discard, nc)
		})
		cmd, err := factory(fmt.Appendf(nil, `{"host":"127.0.0.1","port":%d,"user":"monitor","timeout":%q}`, port, fuzzTimeout))
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		res, err := cmd.Run(t.Context(), check.Run{})
		if err != nil || !utf8.ValidString(res.Text) || len(res.Text) > check.MaxText {
			t.Errorf("Run() = %q, %v", res.Text, err)
		}
		if took := time.Since(begun); took > 2*fuzzTimeout {
			t.Errorf("the run took %s", took)
		}
	})
}
