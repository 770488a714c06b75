package system

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redpoll/redpoll/internal/proctest"
	"github.com/redpoll/redpoll/internal/redistest"
)

// The whole system over TLS with certificates on both sides, also while those
// are replaced.
func TestMutualTLS(t *testing.T) {
	t.Parallel()
	notShort(t)
	ca := redistest.NewAuthority(t)
	server := ca.StartTLS(t, ca.Issue(t, "server", "127.0.0.1", time.Now().Add(time.Hour)))
	f := newFleetOn(t, server)
	ours := ca.Issue(t, "fleet", "fleet", time.Now().Add(time.Hour))
	f.reach = func(program string) []string {
		if program == "redis-cli" {
			return []string{"-p", strconv.Itoa(server.Port), "--tls", "--cacert", ca.File, "--cert", ours.Cert, "--key", ours.Key}
		}
		flags := []string{"-redis", server.URL(), "-redis-ca", ca.File, "-redis-cert", ours.Cert, "-redis-key", ours.Key}
		if program == "redpoll" {
			for i := 0; i < len(flags); i += 2 {
				flags[i] = "-" + flags[i]
			}
		}
		return flags
	}
	f.up(2, 2)
	f.add(50, time.Second, 2*time.Second)
	for i := range 3 {
		until := time.Now().Add(time.Hour)
		if i == 1 {
			until = time.Now().Add(-time.Minute) // nobody connects anew with this one
		}
		ca.Issue(t, "fleet", "fleet", until)
		if err := f.client.ClientKillByFilter(t.Context(), "TYPE", "normal", "SKIPME", "yes").Err(); err != nil {
			t.Fatal(err)
		}
		pass(t, phase(time.Second))
	}
	f.finish(bounds{doubles: 2, gap: 4 * time.Second})

	strange := redistest.NewAuthority(t)
	out, code := f.run("", binary(t, "redpoll"), "--redis", server.URL(), "--redis-ca", strange.File, "get")
	if code != 3 || !strings.Contains(out, "unknown authority") || !strings.Contains(out, "redis-ca") {
		t.Errorf("redpoll get with another authority = %d %s, want 3 and the reason", code, out)
	}
	w := f.start("stranger", "worker", "-redis-server-name", "redis.example")
	f.eventually(5*time.Second, func() error {
		if out := w.Logs.String(); !strings.Contains(out, "redis.example") || !strings.Contains(out, "redis-server-name") {
			return proctest.ErrNoPage
		}
		return nil
	})
}
