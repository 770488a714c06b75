package peertest

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/redpoll/redpoll/internal/porttest"
)

// Prometheus is a Prometheus that takes remote writes and scrapes nobody.
type Prometheus struct {
	URL  string // http://127.0.0.1:port
	Stop func() // ends it; see Run

	dir, addr string
}

// StartPrometheus starts Debian's prometheus.
func StartPrometheus(t testing.TB) *Prometheus {
	t.Helper()
	dir := Dir(t)
	addr := "127.0.0.1:" + strconv.Itoa(porttest.Free(t))
	p := &Prometheus{URL: "http://" + addr, dir: dir, addr: addr}
	Write(t, dir, "prometheus.yml", "global: {}\n")
	p.Run(t)
	return p
}

// Run starts it again after Stop, with the same data.
func (p *Prometheus) Run(t testing.TB) {
	t.Helper()
	p.Stop = Serve(t, answers(p.URL+"/-/ready"), p.dir, Program(t, "prometheus", "prometheus"),
		"--config.file="+filepath.Join(p.dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(p.dir, "data"),
		"--web.listen-address="+p.addr, "--web.enable-remote-write-receiver", "--log.level=warn")
}

// answers is a ready function: a GET of url is answered with 2xx.
func answers(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		transport := &http.Transport{DisableKeepAlives: true}
		resp, err := transport.RoundTrip(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode/100 != 2 {
			return fmt.Errorf("%s: %s", url, resp.Status)
		}
		return nil
	}
}
