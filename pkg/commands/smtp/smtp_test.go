package smtp_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redpoll/redpoll/internal/peertest"
	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/check/checktest"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
	"github.com/redpoll/redpoll/pkg/commands/smtp"
)

const doc = "../../../docs/commands/smtp.md"

var factory = check.Typed(smtp.Defaults(), smtp.New(tools.Tools{}))

// peer is a mail server as far as greeting goes. Answers come by verb; one
// that is "" never comes.
type peer struct {
	banner  string
	answers map[string]string // EHLO, HELO, STARTTLS
	tls     *tls.Config
	wrapped bool   // TLS from the first byte
	inject  string // plain text behind the answer to STARTTLS
	heard   func(line string)
}

// normal is a server that does all that is asked.
func normal() peer {
	return peer{
		banner:  "220 mail.example.test ESMTP",
		answers: map[string]string{"EHLO": "250-mail.example.test\r\n250-STARTTLS\r\n250 SIZE 1000", "STARTTLS": "220 go on"},
	}
}

// start serves until the test ends and gives host and port as params.
func (p peer) start(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf(`"host":"127.0.0.1","port":%d`, peertest.Accept(t, p.serve))
}

func (p peer) serve(nc net.Conn) {
	if p.wrapped {
		nc = tls.Server(nc, p.tls)
	}
	say := func(text string) {
		if text != "" {
			_, _ = io.WriteString(nc, text+"\r\n")
		}
	}
	say(p.banner)
	in := bufio.NewReader(nc)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		if p.heard != nil {
			p.heard(line)
		}
		verb, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		answer, known := p.answers[verb]
		switch {
		case verb == "QUIT":
			say("221 bye")
			return
		case !known:
			say("502 unknown")
		case verb == "STARTTLS" && strings.HasPrefix(answer, "220"):
			_, _ = io.WriteString(nc, answer+"\r\n"+p.inject)
			nc = tls.Server(nc, p.tls)
			in = bufio.NewReader(nc)
		default:
			say(strings.ReplaceAll(answer, "%", strings.TrimSpace(line)))
		}
	}
}

// want runs a check against a server and compares state and reason.
func want(t *testing.T, at, params string, state check.State, reason string) check.Result {
	t.Helper()
	text := strings.Replace("{"+at+","+params[1:], ",}", "}", 1)
	cmd, err := factory([]byte(text))
	if err != nil {
		t.Fatalf("params %s: %v", text, err)
	}
	res, err := cmd.Run(t.Context(), check.Run{})
	if err != nil {
		t.Fatalf("Run(%s) = %v", params, err)
	}
	if res.State != state || res.Reason != reason {
		t.Errorf("Run(%s) = %v %s (%s), want %v %s", params, res.State, res.Reason, res.Text, state, reason)
	}
	checktest.Result(t, doc, res)
	return res
}

func TestConformance(t *testing.T) {
	at := normal().start(t)
	silent := peer{}.start(t)
	checktest.Command(t, factory, checktest.Case{
		OK:   `{` + at + `}`,
		Hang: `{` + silent + `}`,
		More: []string{
			`{` + at + `,"expect":"^250 nothing"}`, `{` + at + `,"resp_crit":"1ns"}`,
			`{` + silent + `,"timeout":"50ms"}`, `{"host":"127.0.0.1","port":1}`,
		},
		Bad: []string{
			`{}`, `{"host":"a b"}`, `{"host":"a","port":-1}`, `{"host":"a","helo":""}`, `{"host":"a","expect":"("}`,
			`{"host":"a","helo":"x\r\nMAIL FROM:<a@b>"}`, `{"host":"a","helo":"x\nQUIT"}`, `{"host":"a","helo":"a\u0000b"}`, `{"host":"a\r\nb"}`,
			`{"host":"a","tls":true,"starttls":true}`, `{"host":"a","ca":"x"}`, `{"host":"a","tls":true,"ca":"x"}`,
			`{"host":"a","timeout":"0s"}`, `{"host":"a","resp_warn":"-1s"}`, `{"host":"a","tls":true,"server_name":"a/b"}`,
		},
		Doc: doc, Defaults: smtp.Defaults(),
	})
}

func TestGrades(t *testing.T) {
	t.Parallel()
	odd := func(change func(*peer)) peer {
		p := normal()
		change(&p)
		return p
	}
	for _, tt := range []struct {
		name, params string
		peer         peer
		state        check.State
		reason       string
	}{
		{"fine", `{}`, normal(), check.StateOK, ""},
		{"an extension", `{"expect":"(?m)^250[ -]SIZE"}`, normal(), check.StateOK, ""},
		{"no such extension", `{"expect":"(?m)^250[ -]PIPELINING"}`, normal(), check.StateCrit, "UNEXPECTED_RESP"},
		{"only HELO", `{}`, peer{banner: "220 old", answers: map[string]string{"HELO": "250 old"}}, check.StateOK, ""},
		{"slow", `{"resp_warn":"1ns","resp_crit":"1h"}`, normal(), check.StateWarn, "RESP_TIME_EXCEEDED"},
		{"no service", `{}`, peer{banner: "554 go away"}, check.StateCrit, "UNEXPECTED_RESP"},
		{"busy", `{}`, peer{banner: "421-too busy\r\n421 later"}, check.StateCrit, "UNEXPECTED_RESP"},
		{"refused greeting", `{}`, odd(func(p *peer) { p.answers["EHLO"] = "550 no" }), check.StateCrit, "UNEXPECTED_RESP"},
		{"no TLS offered", `{"starttls":true}`, odd(func(p *peer) { delete(p.answers, "STARTTLS") }), check.StateCrit, "UNEXPECTED_RESP"},
		{"TLS not now", `{"starttls":true}`, odd(func(p *peer) { p.answers["STARTTLS"] = "454 later" }), check.StateCrit, "UNEXPECTED_RESP"},
		{"no answer", `{"timeout":"1s"}`, odd(func(p *peer) { p.answers["EHLO"] = "" }), check.StateCrit, "CONNECTION_ERROR"},
		{"another protocol", `{}`, peer{banner: "SSH-2.0-OpenSSH_9.2"}, check.StateCrit, "CONNECTION_ERROR"},
		{"changing codes", `{}`, peer{banner: "220-a\r\n250 b"}, check.StateCrit, "CONNECTION_ERROR"},
		{"endless line", `{}`, peer{banner: "220 " + strings.Repeat("x", 1<<20)}, check.StateCrit, "CONNECTION_ERROR"},
		{"endless reply", `{}`, peer{banner: strings.Repeat("220-x\r\n", 10000)}, check.StateCrit, "CONNECTION_ERROR"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want(t, tt.peer.start(t), tt.params, tt.state, tt.reason)
		})
	}
	if res := want(t, normal().start(t), `{}`, check.StateOK, ""); res.Text != "250-mail.example.test" {
		t.Errorf("text = %q, want the first line of the answer", res.Text)
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	cert := peertest.NewCert(t, t.TempDir())
	start, wrapped, injected := normal(), normal(), normal()
	start.tls, wrapped.tls, injected.tls = cert.TLS, cert.TLS, cert.TLS
	wrapped.wrapped = true
	injected.inject = "250 injected\r\n"
	ca := fmt.Sprintf(`"ca":%q`, cert.PEM)
	for _, tt := range []struct {
		name, params string
		peer         peer
		state        check.State
		reason       string
	}{
		{"starttls", `{"starttls":true,` + ca + `}`, start, check.StateOK, ""},
		{"by name", `{"starttls":true,"server_name":"localhost",` + ca + `}`, start, check.StateOK, ""},
		{"another name", `{"starttls":true,"server_name":"other.test",` + ca + `}`, start, check.StateCrit, "CONNECTION_ERROR"},
		{"untrusted", `{"starttls":true}`, start, check.StateCrit, "CONNECTION_ERROR"},
		{"unverified", `{"starttls":true,"verify_tls":false}`, start, check.StateOK, ""},
		{"from the first byte", `{"tls":true,` + ca + `}`, wrapped, check.StateOK, ""},
		{"ends soon", `{"tls":true,"cert_warn_days":60,` + ca + `}`, wrapped, check.StateWarn, "CERT_EXPIRING"},
		{"ends too soon", `{"tls":true,"cert_crit_days":60,` + ca + `}`, wrapped, check.StateCrit, "CERT_EXPIRING"},
		{"plain text behind STARTTLS", `{"starttls":true,"verify_tls":false}`, injected, check.StateCrit, "CONNECTION_ERROR"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			res := want(t, tt.peer.start(t), tt.params, tt.state, tt.reason)
			if _, ok := res.Metric("cert_days"); !ok && tt.name != "plain text behind STARTTLS" {
				t.Errorf("%v has no cert_days", res.Metrics)
			}
		})
	}
}

// Fault 11 of the ancestors: one client for all checks mixed their answers up.
func TestRunsDoNotShareAnything(t *testing.T) {
	t.Parallel()
	p := normal()
	p.answers["EHLO"] = "250 hello to %"
	at := p.start(t)
	const checks = 40
	var group sync.WaitGroup
	for i := range checks {
		name := fmt.Sprintf("client%d.example.test", i)
		cmd, err := factory([]byte(fmt.Sprintf(`{%s,"helo":%q,"expect":"^250 hello to EHLO %s$"}`, at, name, name)))
		if err != nil {
			t.Fatal(err)
		}
		group.Go(func() {
			for range 5 {
				if res, err := cmd.Run(t.Context(), check.Run{}); err != nil || res.State != check.StateOK {
					t.Errorf("Run of %s = %v %v", name, res, err)
				}
			}
		})
	}
	group.Wait()
}

// The server sees a whole conversation with the name that was asked for.
func TestConversation(t *testing.T) {
	t.Parallel()
	lines := make(chan string, 10)
	p := normal()
	p.heard = func(line string) { lines <- line }
	want(t, p.start(t), `{"helo":"[192.0.2.1]"}`, check.StateOK, "")
	for _, wanted := range []string{"EHLO [192.0.2.1]\r\n", "QUIT\r\n"} {
		select {
		case line := <-lines:
			if line != wanted {
				t.Errorf("the server heard %q, want %q", line, wanted)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("the server did not hear %q", wanted)
		}
	}
}

func TestDenied(t *testing.T) {
	t.Parallel()
	cmd, err := factory([]byte(`{"host":"169.254.169.254"}`))
	if err != nil {
		t.Fatal(err)
	}
	if res, err := cmd.Run(t.Context(), check.Run{}); err == nil || !strings.Contains(err.Error(), "denied") {
		t.Errorf("Run = %v %v, want an error: the target is denied", res, err)
	}
}
