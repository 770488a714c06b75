package peertest

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"testing"
)

// Alertmanager is a Prometheus Alertmanager of its own, in no cluster.
type Alertmanager struct {
	URL string
}

// alertmanagerConfig tells a hook of every alert at once, and of its end.
const alertmanagerConfig = `global:
  resolve_timeout: 1s
route:
  receiver: hook
  group_by: ['...']
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 1h
receivers:
- name: hook
  webhook_configs:
  - url: %q
    send_resolved: true
`

// StartAlertmanager starts Debian's prometheus-alertmanager, which tells hook,
// the URL of a server, what it would tell people.
func StartAlertmanager(t testing.TB, hook string) Alertmanager {
	t.Helper()
	program := Program(t, "prometheus-alertmanager", "prometheus-alertmanager")
	dir := Dir(t)
	addr := "127.0.0.1:" + strconv.Itoa(FreePort(t))
	a := Alertmanager{URL: "http://" + addr}
	ready := func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.URL+"/-/ready", nil)
		if err != nil {
			return err
		}
		req.Close = true // so that nothing of it is left
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("GET %s: %s", req.URL, res.Status)
		}
		return nil
	}
	Serve(t, ready, dir, program,
		"--config.file="+Write(t, dir, "alertmanager.yml", fmt.Sprintf(alertmanagerConfig, hook)),
		"--storage.path="+dir+"/data", "--web.listen-address="+addr, "--cluster.listen-address=", "--log.level=debug")
	return a
}
