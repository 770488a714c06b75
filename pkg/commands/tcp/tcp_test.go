package tcp

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/check/checktest"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
)

const doc = "../../../docs/commands/tcp.md"

// serve runs talk for every connection that l takes, and waits for all at the
// test's end.
func serve(t *testing.T, l net.Listener, talk func(net.Conn)) int {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				talk(c)
			}()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().(*net.TCPAddr).Port
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func echo(c net.Conn) { _, _ = io.Copy(c, c) }

// hold takes what comes and never answers.
func hold(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

func say(text string) func(net.Conn) {
	return func(c net.Conn) { _, _ = io.WriteString(c, text) }
}

// secure gives a TLS listener with a certificate for 127.0.0.1 and
// example.com, and that certificate.
func secure(t *testing.T) (net.Listener, string) {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	return tls.NewListener(listen(t), &tls.Config{Certificates: s.TLS.Certificates}), ca
}

func params(t *testing.T, port int, more map[string]any) string {
	t.Helper()
	all := map[string]any{"host": "127.0.0.1", "port": port}
	for k, v := range more {
		all[k] = v
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func factory(t tools.Tools) check.CommandFactory { return check.Typed(Defaults(), New(t)) }

func TestConformance(t *testing.T) {
	echoes, silent := serve(t, listen(t), echo), serve(t, listen(t), hold)
	checktest.Command(t, factory(tools.Tools{}), checktest.Case{
		OK:   params(t, echoes, map[string]any{"send": "hello\r\n", "expect": "^hello", "port": fmt.Sprint(echoes)}),
		Hang: params(t, silent, map[string]any{"send": "hello\r\n", "expect": "^hello"}),
		More: []string{
			params(t, echoes, map[string]any{"send": "no", "expect": "^hello", "timeout": "100ms"}),
			params(t, silent, map[string]any{"expect": "x", "timeout": "50ms"}),
			params(t, 1, nil),
		},
		Bad: []string{
			`{}`, `{"host":"a"}`, `{"host":"a","port":0}`, `{"host":"a","port":65536}`, `{"host":"a b","port":1}`,
			`{"host":"a\r\nb","port":1}`, `{"host":"a:1","port":1}`, `{"host":"a","port":1,"expect":"("}`,
			`{"host":"a","port":1,"timeout":"0s"}`, `{"host":"a","port":1,"timeout":"1h"}`, `{"host":"a","port":1,"network":"udp"}`,
			`{"host":"a","port":1,"server_name":"b"}`, `{"host":"a","port":1,"tls":true,"ca":"x"}`, `{"host":"a","port":1,"resp_warn":"-1s"}`,
		},
		Doc: doc, Defaults: Defaults(),
	})
}

func TestRun(t *testing.T) {
	t.Parallel()
	tlsListener, ca := secure(t)
	echoes, silent, secured := serve(t, listen(t), echo), serve(t, listen(t), hold), serve(t, tlsListener, echo)
	greets := serve(t, listen(t), say("220 mail.example\r\n"))
	parts := serve(t, listen(t), func(c net.Conn) {
		for _, p := range strings.SplitAfter("one two three", "") {
			_, _ = io.WriteString(c, p)
		}
		hold(c)
	})
	floods := serve(t, listen(t), func(c net.Conn) {
		w := bufio.NewWriter(c)
		for {
			if _, err := w.WriteString("flood "); err != nil {
				return
			}
		}
	})
	m := func(kv ...any) map[string]any {
		all := map[string]any{}
		for i := 0; i < len(kv); i += 2 {
			all[kv[i].(string)] = kv[i+1]
		}
		return all
	}
	for _, tt := range []struct {
		name    string
		port    int
		params  map[string]any
		state   check.State
		reason  string
		metrics string
	}{
		{"connect", echoes, nil, check.StateOK, "", "connect resp"},
		{"name", echoes, m("host", "localhost", "network", "tcp4"), check.StateOK, "", "dns connect resp"},
		{"greeting", greets, m("expect", "^220 "), check.StateOK, "", "connect resp"},
		{"greeting is another", greets, m("expect", "^250 "), check.StateCrit, "UNEXPECTED_RESP", "connect resp"},
		{"echo", echoes, m("send", "PING", "expect", "PING$"), check.StateOK, "", "connect resp"},
		{"in parts", parts, m("expect", "t..ee$"), check.StateOK, "", "connect resp"},
		{"never ends", floods, m("expect", "calm"), check.StateCrit, "UNEXPECTED_RESP", "connect resp"},
		{"silent", silent, m("expect", "x", "timeout", "1s"), check.StateCrit, "CONNECTION_ERROR", "connect"},
		{"closed port", 1, nil, check.StateCrit, "UNREACHABLE", ""},
		{"no such name", 1, m("host", "no-such-host.invalid"), check.StateCrit, "UNREACHABLE", ""},
		{"slow warn", echoes, m("resp_warn", "1ns"), check.StateWarn, "RESP_TIME_EXCEEDED", "connect resp"},
		{"slow crit", echoes, m("resp_warn", "1ns", "resp_crit", "2ns"), check.StateCrit, "RESP_TIME_EXCEEDED", "connect resp"},
		{"TLS", secured, m("tls", true, "ca", ca, "send", "x", "expect", "x"), check.StateOK, "", "connect tls resp days"},
		{"TLS by name", secured, m("tls", true, "ca", ca, "server_name", "example.com"), check.StateOK, "", "connect tls resp days"},
		{"TLS unknown CA", secured, m("tls", true), check.StateCrit, "CONNECTION_ERROR", "connect days"},
		{"TLS wrong name", secured, m("tls", true, "ca", ca, "server_name", "other.example"), check.StateCrit, "CONNECTION_ERROR", "connect days"},
		{"TLS not verified", secured, m("tls", true, "verify_tls", false), check.StateOK, "", "connect tls resp days"},
		{"TLS to a plain port", greets, m("tls", true), check.StateCrit, "CONNECTION_ERROR", "connect"},
		{"certificate ends", secured, m("tls", true, "ca", ca, "cert_warn_days", 1e6), check.StateWarn, "CERT_EXPIRING", "connect tls resp days"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cmd, err := factory(tools.Tools{})(json.RawMessage(params(t, tt.port, tt.params)))
			if err != nil {
				t.Fatal(err)
			}
			res, err := cmd.Run(t.Context(), check.Run{})
			if err != nil || res.State != tt.state || res.Reason != tt.reason {
				t.Fatalf("Run = %+v, %v, want %v %s", res, err, tt.state, tt.reason)
			}
			checktest.Result(t, doc, res)
			var names []string
			for _, m := range res.Metrics {
				names = append(names, strings.TrimPrefix(strings.TrimSuffix(m.Name, "_seconds"), "cert_"))
				if m.Value < 0 || m.Unit == "seconds" && m.Value > 10 {
					t.Errorf("metric %s = %v", m.Name, m.Value)
				}
			}
			if got := strings.Join(names, " "); got != tt.metrics {
				t.Errorf("metrics = %q, want %q", got, tt.metrics)
			}
		})
	}
}

func TestDenied(t *testing.T) {
	t.Parallel()
	guard, err := tools.NewGuard([]string{"127.0.0.0/8"})
	if err != nil {
		t.Fatal(err)
	}
	cmd, err := factory(tools.Tools{Guard: guard})(json.RawMessage(params(t, serve(t, listen(t), hold), nil)))
	if err != nil {
		t.Fatal(err)
	}
	var denied *tools.DeniedError
	if res, err := cmd.Run(t.Context(), check.Run{}); !errors.As(err, &denied) {
		t.Fatalf("Run = %v, %v, want a DeniedError", res, err)
	}
}

// TestCheckTimeout: the check's own timeout is the target's fault too.
func TestCheckTimeout(t *testing.T) {
	t.Parallel()
	cmd, err := factory(tools.Tools{})(json.RawMessage(params(t, serve(t, listen(t), hold), map[string]any{"expect": "x"})))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second) // to connect it needs some of it
	defer cancel()
	res, err := cmd.Run(ctx, check.Run{})
	if err != nil || res.Reason != "CONNECTION_ERROR" || !strings.Contains(res.Text, "timed out") {
		t.Fatalf("Run = %+v, %v, want CONNECTION_ERROR, timed out", res, err)
	}
}
