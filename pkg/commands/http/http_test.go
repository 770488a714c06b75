package http

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	nethttp "net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/check/checktest"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
)

const (
	doc    = "../../../docs/commands/http.md"
	canary = "canary-91be"
)

// site is what the tests ask for.
func site() nethttp.Handler {
	mux := nethttp.NewServeMux()
	answer := func(path, text string, header ...string) {
		mux.HandleFunc(path, func(w nethttp.ResponseWriter, _ *nethttp.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Add(header[i], header[i+1])
			}
			_, _ = io.WriteString(w, text)
		})
	}
	answer("/", "welcome", "X-Node", "a", "X-Node", "b7")
	answer("/json", `{"status":"ok","n":3,"items":[{"id":"x"},{"id":"y","price":9.5}],"ver":"1.10"}`)
	answer("/gzip", packed(gzip.NewWriter, "hello gzip"), "Content-Encoding", "gzip")
	answer("/deflate", packed(zlib.NewWriter, "hello zlib"), "Content-Encoding", "deflate")
	answer("/corrupt", "no gzip at all", "Content-Encoding", "gzip")
	answer("/odd", "x", "Content-Encoding", "br")
	answer("/bomb", bomb(), "Content-Encoding", "gzip")
	answer("/large", strings.Repeat("a", 3<<20)+"end")
	answer("/headers", "x", "X-Large", strings.Repeat("h", 80<<10))
	mux.HandleFunc("/code/{code}", func(w nethttp.ResponseWriter, r *nethttp.Request) {
		var code int
		_, _ = fmt.Sscan(r.PathValue("code"), &code)
		w.WriteHeader(code)
	})
	mux.HandleFunc("/to/{code}", func(w nethttp.ResponseWriter, r *nethttp.Request) {
		var code int
		_, _ = fmt.Sscan(r.PathValue("code"), &code)
		w.Header().Set("Location", r.URL.Query().Get("to"))
		w.WriteHeader(code)
	})
	mux.HandleFunc("/echo", func(w nethttp.ResponseWriter, r *nethttp.Request) {
		b, _ := io.ReadAll(r.Body)
		user, pass, _ := r.BasicAuth()
		_ = json.NewEncoder(w).Encode(map[string]any{
			"method": r.Method, "host": r.Host, "body": string(b), "user": user, "pass": pass, "proto": r.Proto,
			"auth": r.Header.Get("Authorization"), "key": r.Header.Get("X-Key"), "agent": r.Header.Get("User-Agent"), "query": r.URL.RawQuery,
		})
	})
	mux.HandleFunc("/hang", func(_ nethttp.ResponseWriter, r *nethttp.Request) { <-r.Context().Done() })
	mux.HandleFunc("/stall", func(w nethttp.ResponseWriter, r *nethttp.Request) {
		_, _ = io.WriteString(w, "begin")
		_ = nethttp.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	mux.HandleFunc("/slow", func(w nethttp.ResponseWriter, r *nethttp.Request) {
		select {
		case <-time.After(120 * time.Millisecond):
		case <-r.Context().Done():
		}
		_, _ = io.WriteString(w, "late")
	})
	mux.HandleFunc("/reset", func(nethttp.ResponseWriter, *nethttp.Request) { panic(nethttp.ErrAbortHandler) })
	return mux
}

// bomb is 64 MiB, packed into 64 KiB.
var bomb = sync.OnceValue(func() string { return packed(gzip.NewWriter, strings.Repeat("0", 64<<20)) })

func packed[W io.WriteCloser](pack func(io.Writer) W, text string) string {
	var b bytes.Buffer
	w := pack(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()
}

func plainServer(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(site())
	t.Cleanup(s.Close)
	return s
}

// tlsServer gives a server for 127.0.0.1 and example.com, and its certificate.
func tlsServer(t *testing.T) (*httptest.Server, string) {
	t.Helper()
	s := httptest.NewUnstartedServer(site())
	s.EnableHTTP2 = true
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
}

// p makes params of pairs.
func p(t testing.TB, pairs ...any) string {
	t.Helper()
	all := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		all[pairs[i].(string)] = pairs[i+1]
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func factory(t tools.Tools) check.CommandFactory { return check.Typed(Defaults(), New(t)) }

func run(t *testing.T, tl tools.Tools, params string) (check.Result, error) {
	t.Helper()
	cmd, err := factory(tl)(json.RawMessage(params))
	if err != nil {
		t.Fatalf("factory(%s) = %v", params, err)
	}
	return cmd.Run(t.Context(), check.Run{})
}

// secrets gives tools with the secret login, for targets.
func secrets(t *testing.T, value, targets string) tools.Tools {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"login": value, "login.targets": targets} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := tools.OpenSecrets(dir)
	if err != nil {
		t.Fatal(err)
	}
	return tools.Tools{Secrets: s}
}

func TestConformance(t *testing.T) {
	s := plainServer(t)
	checktest.Command(t, factory(tools.Tools{}), checktest.Case{
		OK:   p(t, "url", s.URL+"/json", "expect_json", "status == ok", "redirects", "2", "resp_warn", "9s", "resp_crit", "9s"),
		Hang: p(t, "url", s.URL+"/hang"),
		More: []string{p(t, "url", s.URL+"/stall", "timeout", "100ms"), p(t, "url", s.URL+"/code/500"), p(t, "url", "http://127.0.0.1:1/")},
		Doc:  doc, Defaults: Defaults(),
	})
}

func TestConformanceHTTP2(t *testing.T) {
	s, ca := tlsServer(t)
	checktest.Command(t, factory(tools.Tools{}), checktest.Case{
		OK:   p(t, "url", s.URL+"/echo", "ca", ca, "http2", true, "expect_json", "proto == HTTP/2.0", "resp_warn", "0s", "resp_crit", "0s"),
		Hang: p(t, "url", s.URL+"/hang", "ca", ca, "http2", true),
		Doc:  doc,
	})
}

// TestPhases: fault 13 of the ancestors, a response time that was right only
// by luck. Every duration is in seconds, and the phases make up the whole.
func TestPhases(t *testing.T) {
	t.Parallel()
	// The server's second begins when it has the request, which may be a while
	// before the client goes on and says that it is out.
	s := httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, _ *nethttp.Request) {
		<-time.After(time.Second)
		_, _ = io.WriteString(w, "late")
	}))
	t.Cleanup(s.Close)
	url := strings.Replace(s.URL, "127.0.0.1", "localhost", 1)
	begin := time.Now()
	res, err := run(t, tools.Tools{}, p(t, "url", url, "resp_warn", "100ms", "resp_crit", "1m"))
	most := time.Since(begin).Seconds()
	if err != nil || res.State != check.StateWarn || res.Reason != "RESP_TIME_EXCEEDED" {
		t.Fatalf("Run = %+v, %v, want WARN RESP_TIME_EXCEEDED", res, err)
	}
	checktest.Result(t, doc, res)
	value := func(name string) float64 {
		m, ok := res.Metric(name)
		if !ok || m.Unit != "seconds" || m.Value < 0 {
			t.Fatalf("metric %s = %+v, want seconds", name, m)
		}
		return m.Value
	}
	whole, first := value("resp_seconds"), value("first_byte_seconds")
	sum := value("dns_seconds") + value("connect_seconds") + first + value("transfer_seconds")
	if whole < 1 || whole > most || first < 0.5 || sum > whole || sum < 0.5 {
		t.Fatalf("resp %v first byte %v, sum of phases %v, want a second and up to %v", whole, first, sum, most)
	}
	if _, ok := res.Metric("tls_seconds"); ok {
		t.Error("tls_seconds without TLS")
	}
}

// slowLoris answers with headers that never end, one line at a time.
func slowLoris(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n")
				for range time.Tick(time.Millisecond) {
					if _, err := io.WriteString(c, "X-More: x\r\n"); err != nil {
						return
					}
				}
			}()
		}
	}()
	return "http://" + l.Addr().String()
}
