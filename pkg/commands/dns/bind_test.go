package dns_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/redpoll/redpoll/internal/peertest"
	"github.com/redpoll/redpoll/pkg/check"
)

// zone is what the real name server knows: a set of texts too large for UDP too.
func zone() string {
	var b strings.Builder
	b.WriteString(`$TTL 60
@    SOA ns1 root 2026010101 7200 3600 1209600 300
     NS  ns1
     MX  10 mx1
     MX  20 mx2
     CAA 0 issue "ca.example.test"
ns1  A   192.0.2.1
www  A   192.0.2.10
www  A   192.0.2.11
www  AAAA 2001:db8::10
alias CNAME www
_sip._udp SRV 10 20 5060 ns1
`)
	for i := range 40 {
		fmt.Fprintf(&b, "big TXT \"%d %s\"\n", i, strings.Repeat("x", 100))
	}
	return b.String()
}

func TestBind(t *testing.T) {
	t.Parallel()
	b := peertest.StartBind(t, map[string]string{"example.test": zone(), "2.0.192.in-addr.arpa": "$TTL 60\n@ SOA ns. r. 1 1 1 1 1\n NS ns.\n10 PTR www.example.test.\n"})
	for _, tt := range []struct {
		params string
		state  check.State
		reason string
	}{
		{`{"expect":["192.0.2.10","192.0.2.11"]}`, check.StateOK, ""},
		{`{"type":"AAAA","expect":["2001:db8::10"],"transport":"tcp"}`, check.StateOK, ""},
		{`{"name":"alias.example.test","expect":["192.0.2.11"]}`, check.StateOK, ""},
		{`{"name":"alias.example.test","type":"CNAME","expect":["www.example.test"]}`, check.StateOK, ""},
		{`{"name":"example.test","type":"MX","expect":["10 mx1.example.test","mx2.example.test"]}`, check.StateOK, ""},
		{`{"name":"example.test","type":"NS","expect":["ns1.example.test"]}`, check.StateOK, ""},
		{`{"name":"example.test","type":"SOA","expect":["2026010101"]}`, check.StateOK, ""},
		{`{"name":"example.test","type":"CAA","expect":["0 issue ca.example.test"]}`, check.StateOK, ""},
		{`{"name":"_sip._udp.example.test","type":"SRV","expect":["ns1.example.test:5060"]}`, check.StateOK, ""},
		{`{"name":"192.0.2.10","type":"PTR","expect":["www.example.test"]}`, check.StateOK, ""},
		{`{"name":"big.example.test","type":"TXT","expect":["39 ` + strings.Repeat("x", 100) + `"]}`, check.StateOK, ""},
		{`{"name":"no.example.test"}`, check.StateCrit, "DNS_QRY_FAILURE"},
		{`{"name":"no.example.test","rcode":"NXDOMAIN"}`, check.StateOK, ""},
		{`{"name":"elsewhere.invalid"}`, check.StateCrit, "DNS_QRY_FAILURE"},
		{`{"name":"www.example.test","type":"MX"}`, check.StateCrit, "UNEXPECTED_RESP"},
	} {
		t.Run(tt.params, func(t *testing.T) {
			t.Parallel()
			params := tt.params
			if !strings.Contains(params, `"name"`) {
				params = `{"name":"www.example.test",` + params[1:]
			}
			wantParams(t, fmt.Sprintf(`{"server":"127.0.0.1","port":%d,%s`, b.Port, params[1:]), tt.state, tt.reason)
		})
	}
	tls := fmt.Sprintf(`{"server":"127.0.0.1","port":%d,"transport":"tls","name":"www.example.test"`, b.TLSPort)
	wantParams(t, fmt.Sprintf(`%s,"ca":%q}`, tls, b.Cert.PEM), check.StateOK, "")
	wantParams(t, fmt.Sprintf(`%s,"ca":%q,"server_name":"localhost"}`, tls, b.Cert.PEM), check.StateOK, "")
	wantParams(t, tls+`,"verify_tls":false}`, check.StateOK, "")
	wantParams(t, tls+`}`, check.StateCrit, "DNS_QRY_FAILURE")
}

// BenchmarkBind tells the CPU that this process spends on one check.
func BenchmarkBind(b *testing.B) {
	s := peertest.StartBind(b, map[string]string{"example.test": zone()})
	cmd, err := factory([]byte(fmt.Sprintf(`{"server":"127.0.0.1","port":%d,"name":"www.example.test"}`, s.Port)))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	var before, after syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &before); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if res, err := cmd.Run(b.Context(), check.Run{}); err != nil || res.State != check.StateOK {
			b.Fatalf("Run = %v %v", res, err)
		}
	}
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &after); err != nil {
		b.Fatal(err)
	}
	cpu := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()
	b.ReportMetric(float64(cpu)/1000/float64(b.N), "cpu-us/op")
}
