package dns_test

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	mdns "github.com/miekg/dns"

	"github.com/redpoll/redpoll/internal/porttest"
	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/check/checktest"
	"github.com/redpoll/redpoll/pkg/commands/dns"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
)

const doc = "../../../docs/commands/dns.md"

var factory = check.Typed(dns.Defaults(), dns.New(tools.Tools{}))

// server answers each question with the messages that f makes of it.
type server func(q *mdns.Msg, network string) []*mdns.Msg

func (f server) ServeDNS(w mdns.ResponseWriter, q *mdns.Msg) {
	for _, m := range f(q, w.LocalAddr().Network()) {
		_ = w.WriteMsg(m)
	}
}

// start serves f over UDP and TCP on one port and gives the port.
func start(t *testing.T, f server) int {
	t.Helper()
	port := porttest.Free(t)
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	for _, network := range []string{"udp", "tcp"} {
		ready := make(chan struct{})
		s := &mdns.Server{Addr: addr, Net: network, Handler: f, NotifyStartedFunc: func() { close(ready) }}
		ended := make(chan error, 1)
		go func() { ended <- s.ListenAndServe() }()
		select {
		case <-ready:
		case err := <-ended:
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = s.Shutdown()
			<-ended
		})
	}
	return port
}

// reply makes the answer to q with the records of rrs.
func reply(t *testing.T, q *mdns.Msg, rrs ...string) *mdns.Msg {
	t.Helper()
	m := new(mdns.Msg).SetReply(q)
	for _, text := range rrs {
		rr, err := mdns.NewRR(text)
		if err != nil {
			t.Error(err)
			continue
		}
		m.Answer = append(m.Answer, rr)
	}
	return m
}

// want runs a check of www.example.test and compares state and reason.
func want(t *testing.T, port int, params string, state check.State, reason string) check.Result {
	t.Helper()
	text := fmt.Sprintf(`{"server":"127.0.0.1","port":%d,"name":"www.example.test",%s`, port, params[1:])
	return wantParams(t, strings.Replace(text, ",}", "}", 1), state, reason)
}

func wantParams(t *testing.T, params string, state check.State, reason string) check.Result {
	t.Helper()
	cmd, err := factory([]byte(params))
	if err != nil {
		t.Fatalf("params %s: %v", params, err)
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

const (
	aRecord  = "www.example.test. 60 IN A 192.0.2.10"
	aRecord2 = "www.example.test. 60 IN A 192.0.2.11"
)

func TestConformance(t *testing.T) {
	port := start(t, func(q *mdns.Msg, _ string) []*mdns.Msg {
		if strings.HasPrefix(q.Question[0].Name, "hang.") {
			return nil
		}
		return []*mdns.Msg{reply(t, q, aRecord)}
	})
	at := fmt.Sprintf(`"server":"127.0.0.1","port":%d`, port)
	checktest.Command(t, factory, checktest.Case{
		OK:   `{` + at + `,"name":"www.example.test"}`,
		Hang: `{` + at + `,"name":"hang.example.test"}`,
		More: []string{
			`{` + at + `,"name":"www.example.test","expect":["192.0.2.99"]}`,
			`{` + at + `,"name":"www.example.test","transport":"tcp","rcode":"NXDOMAIN"}`,
			`{` + at + `,"name":"www.example.test","resp_crit":"1ns"}`,
			`{` + at + `,"name":"hang.example.test","timeout":"50ms"}`,
		},
		Bad: []string{
			`{}`, `{"server":"127.0.0.1"}`, `{"server":"a b","name":"x"}`, `{"server":"::1","name":"x","port":70000}`,
			`{"server":"::1","name":"x","type":"ANY"}`, `{"server":"::1","name":"x","transport":"quic"}`,
			`{"server":"::1","name":"x","rcode":"WRONG"}`, `{"server":"::1","name":"x","tries":9}`,
			`{"server":"::1","name":"x","timeout":"10m"}`, `{"server":"::1","name":"x","expect":[""]}`,
			`{"server":"::1","name":"` + strings.Repeat("a", 64) + `.test"}`, `{"server":"::1","name":"x","ca":"x"}`,
			`{"server":"::1","name":"x","transport":"tls","ca":"no pem"}`, `{"server":"::1","name":"x","resp_warn":"-1s"}`,
		},
		Doc: doc, Defaults: dns.Defaults(),
	})
}

func TestGrades(t *testing.T) {
	t.Parallel()
	port := start(t, func(q *mdns.Msg, _ string) []*mdns.Msg {
		m := reply(t, q)
		switch q.Question[0].Qtype {
		case mdns.TypeA:
			m = reply(t, q, "www.example.test. 60 IN CNAME web.example.test.", aRecord, aRecord2)
		case mdns.TypeNS:
			m.Rcode = mdns.RcodeRefused
		case mdns.TypeMX:
			m.Rcode = mdns.RcodeNameError
		}
		return []*mdns.Msg{m}
	})
	for _, tt := range []struct {
		name, params string
		state        check.State
		reason       string
	}{
		{"an answer", `{}`, check.StateOK, ""},
		{"all expected", `{"expect":["192.0.2.11","192.0.2.10"]}`, check.StateOK, ""},
		{"a list in one text", `{"expect":"192.0.2.11,192.0.2.10"}`, check.StateOK, ""},
		{"one is missing", `{"expect":["192.0.2.11","192.0.2.12"]}`, check.StateCrit, "UNEXPECTED_RESP"},
		{"no such type", `{"type":"TXT"}`, check.StateCrit, "UNEXPECTED_RESP"},
		{"no such type is fine", `{"type":"TXT","rcode":"NOERROR"}`, check.StateOK, ""},
		{"refused", `{"type":"NS"}`, check.StateCrit, "DNS_QRY_FAILURE"},
		{"refusal expected", `{"type":"NS","rcode":"REFUSED"}`, check.StateOK, ""},
		{"another code", `{"type":"MX","rcode":"REFUSED"}`, check.StateCrit, "UNEXPECTED_RESP"},
		{"slow is WARN", `{"resp_warn":"1ns"}`, check.StateWarn, "RESP_TIME_EXCEEDED"},
		{"slow is CRIT", `{"resp_warn":"1ns","resp_crit":"2ns"}`, check.StateCrit, "RESP_TIME_EXCEEDED"},
		{"fast enough", `{"resp_warn":"4s","resp_crit":"5s"}`, check.StateOK, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want(t, port, tt.params, tt.state, tt.reason)
		})
	}
	if res := want(t, port, `{}`, check.StateOK, ""); res.Text != "192.0.2.10, 192.0.2.11" {
		t.Errorf("text = %q, want the records of the asked type", res.Text)
	} else if m, _ := res.Metric("answers"); m.Value != 2 {
		t.Errorf("answers = %v, want 2", m.Value)
	}
}

// Fault 12 of the ancestors: MX and CNAME records were kept only when the
// lookup had failed.
func TestRecordsOfAllTypes(t *testing.T) {
	t.Parallel()
	records := map[string]string{
		"A":     "192.0.2.10",
		"AAAA":  "2001:db8::10",
		"CNAME": "Web.Example.test.",
		"MX":    "10 mx1.example.test.",
		"TXT":   `"v=spf1 -all" " and; more"`,
		"PTR":   "host.example.test.",
		"NS":    "ns1.example.test.",
		"SOA":   "ns1.example.test. root.example.test. 2026010101 7200 3600 1209600 300",
		"SRV":   "10 20 5060 sip.example.test.",
		"CAA":   `0 issue "ca.example.test"`,
	}
	port := start(t, func(q *mdns.Msg, _ string) []*mdns.Msg {
		kind := mdns.TypeToString[q.Question[0].Qtype]
		return []*mdns.Msg{reply(t, q, fmt.Sprintf("%s 60 IN %s %s", q.Question[0].Name, kind, records[kind]))}
	})
	for _, tt := range []struct{ kind, expect string }{
		{"A", "192.0.2.10"},
		{"AAAA", "2001:0db8:0::10"},
		{"CNAME", "web.example.test"},
		{"CNAME", "WEB.example.test."},
		{"MX", "10 mx1.example.test"},
		{"MX", "mx1.example.test."},
		{"TXT", "v=spf1 -all and; more"},
		{"PTR", "host.example.test"},
		{"NS", "ns1.example.test."},
		{"SOA", "ns1.example.test root.example.test 2026010101 7200 3600 1209600 300"},
		{"SOA", "2026010101"},
		{"SRV", "10 20 5060 sip.example.test."},
		{"SRV", "sip.example.test:5060"},
		{"CAA", `0 issue "ca.example.test"`},
		{"CAA", "issue ca.example.test"},
	} {
		t.Run(tt.kind+" "+tt.expect, func(t *testing.T) {
			t.Parallel()
			want(t, port, fmt.Sprintf(`{"type":%q,"expect":[%q]}`, tt.kind, tt.expect), check.StateOK, "")
			want(t, port, fmt.Sprintf(`{"type":%q,"expect":[%q]}`, tt.kind, tt.expect+"x"), check.StateCrit, "UNEXPECTED_RESP")
		})
	}
}

func TestReverseName(t *testing.T) {
	t.Parallel()
	port := start(t, func(q *mdns.Msg, _ string) []*mdns.Msg {
		return []*mdns.Msg{reply(t, q, q.Question[0].Name+" 60 IN PTR "+q.Question[0].Name)}
	})
	cmd, err := factory([]byte(fmt.Sprintf(`{"server":"127.0.0.1","port":%d,"name":"192.0.2.7","type":"PTR"}`, port)))
	if err != nil {
		t.Fatal(err)
	}
	if res, err := cmd.Run(t.Context(), check.Run{}); err != nil || res.Text != "7.2.0.192.in-addr.arpa" {
		t.Errorf("Run = %v %v, want the question for 7.2.0.192.in-addr.arpa", res, err)
	}
}

func TestTruncatedAnswerIsAskedForOverTCP(t *testing.T) {
	t.Parallel()
	port := start(t, func(q *mdns.Msg, network string) []*mdns.Msg {
		if network == "udp" {
			m := reply(t, q)
			m.Truncated = true
			return []*mdns.Msg{m}
		}
		return []*mdns.Msg{reply(t, q, aRecord)}
	})
	want(t, port, `{"expect":["192.0.2.10"]}`, check.StateOK, "")
}

// Answers to other questions are late or forged: they are passed over.
func TestOtherAnswersAreIgnored(t *testing.T) {
	t.Parallel()
	port := start(t, func(q *mdns.Msg, _ string) []*mdns.Msg {
		forged := "www.example.test. 60 IN A 192.0.2.66"
		otherID := reply(t, q, forged)
		otherID.Id++
		otherName := reply(t, q, forged)
		otherName.Question[0].Name = "other.example.test."
		noAnswer := reply(t, q, forged)
		noAnswer.Response = false
		noQuestion := reply(t, q, forged)
		noQuestion.Question = nil
		return []*mdns.Msg{otherID, otherName, noAnswer, noQuestion, reply(t, q, aRecord)}
	})
	res := want(t, port, `{"expect":["192.0.2.10"]}`, check.StateOK, "")
	if res.Text != "192.0.2.10" {
		t.Errorf("text = %q, want the answer to our question alone", res.Text)
	}
}

func TestLostDatagramIsSentAgain(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 10)
	port := start(t, func(q *mdns.Msg, _ string) []*mdns.Msg {
		asked <- struct{}{}
		if len(asked) == 1 {
			return nil
		}
		return []*mdns.Msg{reply(t, q, aRecord)}
	})
	want(t, port, `{"timeout":"4s","tries":2}`, check.StateOK, "")
	if len(asked) != 2 {
		t.Errorf("asked %d times, want 2", len(asked))
	}
}

func TestSilence(t *testing.T) {
	t.Parallel()
	port := start(t, func(*mdns.Msg, string) []*mdns.Msg { return nil })
	want(t, port, `{"timeout":"80ms"}`, check.StateCrit, "CONNECTION_TIMEOUT")
	want(t, port, `{"timeout":"80ms","transport":"tcp"}`, check.StateCrit, "CONNECTION_TIMEOUT")
	want(t, porttest.Free(t), `{}`, check.StateCrit, "DNS_QRY_FAILURE")
	want(t, porttest.Free(t), `{"transport":"tcp"}`, check.StateCrit, "DNS_QRY_FAILURE")
}

// The end of the check's own time is the target's fault as well.
func TestDeadlineOfTheCheck(t *testing.T) {
	t.Parallel()
	port := start(t, func(*mdns.Msg, string) []*mdns.Msg { return nil })
	cmd, err := factory([]byte(fmt.Sprintf(`{"server":"127.0.0.1","port":%d,"name":"x.test"}`, port)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 80*time.Millisecond)
	defer cancel()
	if res, err := cmd.Run(ctx, check.Run{}); err != nil || res.Reason != "CONNECTION_TIMEOUT" {
		t.Errorf("Run = %v %v, want CONNECTION_TIMEOUT", res, err)
	}
}

func TestGarbage(t *testing.T) {
	t.Parallel()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pc.Close() })
	go func() {
		buf := make([]byte, 512)
		for {
			_, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = pc.WriteTo([]byte{1}, from)
			_, _ = pc.WriteTo(append(buf[:2:2], "\x80\x00 garbage with the bit of an answer"...), from)
		}
	}()
	want(t, pc.LocalAddr().(*net.UDPAddr).Port, `{}`, check.StateCrit, "DNS_QRY_FAILURE")
}

func TestDeniedServer(t *testing.T) {
	t.Parallel()
	cmd, err := factory([]byte(`{"server":"169.254.169.254","name":"x.test"}`))
	if err != nil {
		t.Fatal(err)
	}
	if res, err := cmd.Run(t.Context(), check.Run{}); err == nil || !strings.Contains(err.Error(), "denied") {
		t.Errorf("Run = %v %v, want an error: the target is denied", res, err)
	}
}
