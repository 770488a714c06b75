package canary

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

// handlers are those of the worker: they send secrets to a server that refuses
// everything and says back what it was told, and to a stranger, who must not
// see them.
func handlers(t *testing.T, heard, strange *listener) string {
	t.Helper()
	refuser := echo(t, heard)
	stranger, _ := stranger(t, strange)
	entry := func(format string, args ...any) string {
		return "- {" + fmt.Sprintf(format, args...) + ", default: true}\n"
	}
	const keys = "url_end: {secret: hook}, sign: {secret: sign}, headers: {X-Token: {secret: tree}}"
	return "- {name: all, type: log, default: true}\n" +
		entry("name: hook, type: webhook, delivery: inline, url: %q, bearer: {secret: alert}, %s", refuser+"/400/", keys) +
		entry("name: hook-later, type: webhook, url: %q, user: me, password: {secret: alert}, %s", refuser+"/503/", keys) +
		entry("name: hook-junk, type: webhook, delivery: inline, url: %q, bearer: {secret: alert}, %s", refuser+"/junk/", keys) +
		entry("name: hook-away, type: webhook, delivery: inline, url: %q, bearer: {secret: alert}, %s", refuser+"/302/", keys) +
		entry("name: pager, type: alertmanager, url: %q, bearer: {secret: alert}", refuser+"/400") +
		entry("name: tree, type: pagertree, url: %q, api_key: {secret: tree}, teams: [a]", refuser+"/400") +
		entry("name: tree-hook, type: pagertree, url: %q, integration: {secret: hook}, token: {secret: tree}", refuser+"/400") +
		entry("name: series, type: remote_write, url: %q, bearer: {secret: alert}, headers: {X-Token: {secret: tree}}", refuser+"/400/") +
		entry("name: series-later, type: remote_write, url: %q, user: me, password: {secret: alert}", refuser+"/503/") +
		entry("name: points, type: influx, url: %q, org: o, bucket: b, token: {secret: alert}", refuser+"/400/") +
		entry("name: points-junk, type: influx, url: %q, db: d, user: me, password: {secret: alert}", refuser+"/junk/") +
		entry("name: strange-series, type: remote_write, url: 'http://127.0.0.2:%d/', bearer: {secret: alert}", stranger) +
		entry("name: strange-points, type: influx, url: 'http://127.0.0.2:%d/', org: o, bucket: b, token: {secret: alert}", stranger) +
		entry("name: strange, type: webhook, delivery: inline, url: 'http://127.0.0.2:%d/', bearer: {secret: alert}, %s", stranger, keys) +
		entry("name: strange-pager, type: alertmanager, url: 'http://127.0.0.2:%d/', bearer: {secret: alert}", stranger) +
		entry("name: strange-tree, type: pagertree, url: 'http://127.0.0.2:%d/', api_key: {secret: tree}, teams: [a]", stranger)
}

// waitForHandlers waits until each of them has failed, in the log, and those
// whose targets refuse for good in the dead letters too.
func (f *fleet) waitForHandlers() {
	f.Helper()
	f.eventually(func() error {
		log := f.logs["worker"].String()
		for _, name := range []string{"hook", "hook-later", "hook-junk", "hook-away", "pager", "tree", "tree-hook", "strange", "strange-pager", "strange-tree"} {
			if !strings.Contains(log, "handler="+name+" ") && !strings.Contains(log, `"handler":"`+name+`"`) {
				return fmt.Errorf("nothing in the log about the handler %s", name)
			}
		}
		for _, target := range []string{"/400/", "/503/", "/400/api/v2/write", "/junk/write", `127\.0\.0\.2:\d+/`, `127\.0\.0\.2:\d+/api/v2/write`} {
			if !regexp.MustCompile(`output .* ?"?target"?[=:]"?http://[^ "]*` + target + `[ "]`).MatchString(log) {
				return fmt.Errorf("nothing in the log about the output to %s", target)
			}
		}
		letters, err := f.client.XRange(f.Context(), "redpoll:{default:0}:dead", "-", "+").Result()
		if err != nil {
			return err
		}
		for _, name := range []string{"pager", "tree", "tree-hook"} {
			if !strings.Contains(fmt.Sprint(letters), "handler:"+name+" ") {
				return fmt.Errorf("no dead letter of the handler %s", name)
			}
		}
		return nil
	})
}

// echo is a web server that answers with the status in its path, and with all
// that it was told.
func echo(t *testing.T, heard *listener) (url string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var said strings.Builder
		_ = r.Write(&said)
		_, _ = io.WriteString(heard, said.String()+"\n")
		var status int
		if _, err := fmt.Sscanf(r.URL.Path, "/%d", &status); err != nil {
			if nc, _, err := http.NewResponseController(w).Hijack(); err == nil {
				_, _ = fmt.Fprintf(nc, "%s\r\n", strings.ReplaceAll(said.String(), "\r\n", " "))
				_ = nc.Close()
			}
			return
		}
		w.Header().Set("X-Said", r.Header.Get("Authorization"))
		w.Header().Set("Location", "/"+r.Header.Get("X-Token"))
		w.WriteHeader(status)
		_, _ = io.WriteString(w, said.String())
	}))
	t.Cleanup(s.Close)
	return s.URL
}
