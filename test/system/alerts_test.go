package system

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redpoll/redpoll/internal/peertest"
	"github.com/redpoll/redpoll/internal/porttest"
)

// handlersFile writes a handlers.yaml.
func handlersFile(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "handlers.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A check goes down: its alert appears in a real Alertmanager. The worker that
// delivered it is killed; the other one keeps it alive. The check comes back:
// the alert ends. People are told of the trouble once, and of its end once.
func TestAlertOutlivesItsWorker(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	am := peertest.StartAlertmanager(t)
	handlers := handlersFile(t, fmt.Sprintf("- {name: pager, type: alertmanager, default: true, url: %q, keep: 1s, expire: 30s}\n", am.URL))
	f.ready(f.scheduler("s1"))
	ws := map[string]*proc{}
	for _, name := range []string{"w1", "w2"} {
		ws[name] = f.worker(name, "-handlers", handlers)
	}
	f.ready(ws["w1"], ws["w2"])
	port := porttest.Free(t)
	f.cli(strings.Fields(fmt.Sprintf("XADD redpoll:intake * id web command tcp every 1s labels.site fra params.host 127.0.0.1 params.port %d", port))...)

	burning := func(since time.Time) error {
		all := am.Alerts(t)
		if len(all) != 1 || all[0].Labels["check"] != "web" || all[0].Labels["site"] != "fra" || all[0].Labels["severity"] != "critical" {
			return fmt.Errorf("alerts are %+v, want that of web", all)
		}
		if !all[0].UpdatedAt.After(since) {
			return fmt.Errorf("the alert was repeated at %s, not since %s", all[0].UpdatedAt, since)
		}
		return nil
	}
	begun := time.Now()
	f.eventually(10*time.Second, func() error { return burning(begun) })
	holder := func() string {
		name, _, _ := strings.Cut(f.cli("GET", key("deliver:pager")), "/")
		return name
	}
	first := holder()
	if ws[first] == nil {
		t.Fatalf("changes are delivered by %q, want w1 or w2", first)
	}
	ws[first].kill()
	killed := time.Now()
	f.eventually(3*lease, func() error {
		if now := holder(); now == first || ws[now] == nil {
			return fmt.Errorf("changes are delivered by %q, want the other worker", now)
		}
		return burning(killed)
	})
	t.Logf("the other worker keeps the alert alive %s after the kill", time.Since(killed).Round(time.Millisecond))

	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f.eventually(10*time.Second, func() error {
		if all := am.Alerts(t); len(all) != 0 {
			return fmt.Errorf("alerts are %+v, want none", all)
		}
		if got := strings.Join(am.Told(), ", "); got != "firing web critical, resolved web critical" {
			return fmt.Errorf("people were told: %s", got)
		}
		return nil
	})
}
