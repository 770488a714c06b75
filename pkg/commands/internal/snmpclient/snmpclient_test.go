package snmpclient

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gosnmp/gosnmp"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands/internal/snmptest"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
)

const sysUpTime = "1.3.6.1.2.1.1.3.0"

// at gives settings for a device on a port of the loopback interface.
func at(port int, change ...func(*Settings)) *Settings {
	s := DefaultSettings()
	s.Host, s.Port = "127.0.0.1", port
	for _, c := range change {
		c(&s)
	}
	return &s
}

// quick makes a device that does not answer cost little.
func quick(s *Settings) { s.Timeout, s.Retries = check.Duration(80*time.Millisecond), 1 }

// soon is less than the minute that a try takes in the tests of what must end
// before it, and more than a busy machine stands still.
const soon = 20 * time.Second

// patient is for a device that does not answer, or answers late on a busy machine.
func patient(s *Settings) { s.Timeout, s.Retries = check.Duration(500*time.Millisecond), 1 }

// withSecrets gives tools with secrets that may go to the loopback address.
func withSecrets(t testing.TB, secrets map[string]string) tools.Tools {
	t.Helper()
	dir := t.TempDir()
	for name, value := range secrets {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, ".targets"), []byte("127.0.0.1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := tools.OpenSecrets(dir)
	if err != nil {
		t.Fatal(err)
	}
	return tools.Tools{Secrets: s}
}

func pool(t testing.TB, tl tools.Tools) *Pool {
	p := NewPool(tl)
	t.Cleanup(p.Close)
	return p
}

// get makes one lease and one GET.
func get(t testing.TB, ctx context.Context, p *Pool, s *Settings, oids ...string) ([]Value, error) {
	t.Helper()
	c, err := p.Client(s)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.Get(ctx, oids)
}

func TestGet(t *testing.T) {
	t.Parallel()
	a := snmptest.NewAgent(t)
	values := map[string]struct {
		value snmptest.Value
		typ   Type
		text  string
	}{
		"1.3.1": {snmptest.Int(-5), Int, "-5"},
		"1.3.2": {snmptest.Counter32(4294967295), Counter32, "4294967295"},
		"1.3.3": {snmptest.Counter64(18446744073709551615), Counter64, "18446744073709551615"},
		"1.3.4": {snmptest.Gauge(4294967295), Gauge, "4294967295"},
		"1.3.5": {snmptest.Ticks(7), Ticks, "7"},
		"1.3.6": {snmptest.Octets("line 1\nline\x1b[31m 2\u202e"), Text, "line 1 line\ufffd[31m 2\ufffd"},
		"1.3.7": {snmptest.Octets("\xff\x00\x01"), Text, "ff0001"},
		"1.3.8": {snmptest.IP(192, 0, 2, 1), Text, "192.0.2.1"},
		"1.3.9": {snmptest.OID("1.3.6.1"), Text, "1.3.6.1"},
		"1.4.1": {snmptest.Float(0x3fc00000), Float, "1.5"},
		"1.4.2": {snmptest.Float(0x7fc00000), Missing, ""}, // NaN
		"1.4.3": {snmptest.NoSuchObject, Missing, ""},
		"1.4.4": {snmptest.NoSuchInstance, Missing, ""},
		"1.4.5": {snmptest.TLV(0x41, []byte{1, 2, 3, 4, 5, 6}), Missing, ""}, // Counter32 of 48 bits
		"1.4.6": {snmptest.TLV(0x55, []byte{1}), Missing, ""},                // no such type
		"1.4.7": {snmptest.Octets(strings.Repeat("x", 30000)), Text, strings.Repeat("x", 4096)},
		"1.4.8": {snmptest.TLV(0x40), Missing, ""}, // an empty address
	}
	var oids []string
	for oid, v := range values {
		a.Set(oid, v.value)
		oids = append(oids, oid)
	}
	for _, version := range []Version{V1, V2c} {
		for _, transport := range []string{"udp", "tcp"} {
			s := at(a.Port, func(s *Settings) { s.Version, s.Transport, s.MaxOIDs = version, transport, 4 })
			got, err := get(t, t.Context(), pool(t, tools.Tools{}), s, oids...)
			if err != nil {
				t.Fatalf("Get over %s version %s = %v", transport, version, err)
			}
			for i, v := range got {
				want := values[oids[i]]
				if v.OID != oids[i] || v.Type != want.typ || v.String() != want.text {
					t.Errorf("Get(%s) over %s = %s %v %.60q, want %v %.60q", oids[i], transport, v.OID, v.Type, v.String(), want.typ, want.text)
				}
			}
		}
	}
}

// TestVersion1Missing shows that one missing object does not cost the others,
// though version 1 refuses the whole request for it.
func TestVersion1Missing(t *testing.T) {
	t.Parallel()
	a := snmptest.NewAgent(t)
	a.Set("1.3.2", snmptest.Int(2))
	a.Set("1.3.4", snmptest.Int(4))
	got, err := get(t, t.Context(), pool(t, tools.Tools{}), at(a.Port, func(s *Settings) { s.Version = V1 }), "1.3.1", "1.3.2", "1.3.3", "1.3.4", "1.3.5")
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"", "2", "", "4", ""} {
		if got[i].String() != want {
			t.Errorf("value %d = %q, want %q", i, got[i].String(), want)
		}
	}
}

// TestTooBig shows that a device with little room is asked for less, the next
// time from the start.
func TestTooBig(t *testing.T) {
	t.Parallel()
	a := snmptest.NewAgent(t)
	var oids []string
	for i := range 10 {
		oids = append(oids, fmt.Sprintf("1.3.%d", i))
		a.Set(oids[i], snmptest.Int(int64(i)))
	}
	a.Script(func(r snmptest.Request) [][]byte {
		if len(r.OIDs) > 3 {
			return [][]byte{r.Refuse(1, 0)}
		}
		return [][]byte{a.Answer(r)}
	})
	p := pool(t, tools.Tools{})
	for round, want := range []int{2 + 5, 5} { // 10, 5, then by 2
		got, err := get(t, t.Context(), p, at(a.Port), oids...)
		if err != nil || got[9].Int != 9 {
			t.Fatalf("Get = %v, %v", got, err)
		}
		if n := len(a.Requests()); n != want {
			t.Errorf("round %d: %d requests, want %d", round, n, want)
		}
	}
}

// TestNoLeaks shows that failed runs leave no descriptors behind.
func TestNoLeaks(t *testing.T) { // not parallel: it counts all of the process
	count := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip("NOT TESTED: this system has no /proc/self/fd")
		}
		return len(entries)
	}
	a := snmptest.NewAgent(t)
	before := count()
	p := NewPool(tools.Tools{})
	for _, script := range []func(snmptest.Request) [][]byte{
		nil,
		func(snmptest.Request) [][]byte { return nil },
		func(snmptest.Request) [][]byte { return [][]byte{{0x30, 0}} },
		func(r snmptest.Request) [][]byte { return [][]byte{r.With()} },
	} {
		a.Script(script)
		for _, how := range []func(*Settings){quick, func(s *Settings) { s.Transport = "tcp" }, as("nobody", "", "")} {
			for range 20 {
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
				get(t, ctx, p, at(a.Port, how), "1.3.1")
				cancel()
			}
		}
	}
	p.Close()
	a.HangUp()
	eventually := time.Now().Add(5 * time.Second)
	for count() > before && time.Now().Before(eventually) {
		<-time.After(10 * time.Millisecond) // the agent closes its ends
	}
	if after := count(); after > before {
		t.Errorf("%d descriptors after 240 runs, %d before", after, before)
	}
}

// TestRefused shows that a closed port is an answer of its own, soon.
func TestRefused(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"udp", "tcp"} {
		begin := time.Now()
		_, err := get(t, t.Context(), pool(t, tools.Tools{}), at(1, func(s *Settings) { s.Transport, s.Timeout = transport, check.Duration(time.Minute) }), "1.3.1")
		if !errors.Is(err, ErrNoAnswer) || !strings.Contains(err.Error(), "refused") || time.Since(begin) > soon {
			t.Errorf("Get over %s from a closed port = %v after %v", transport, err, time.Since(begin))
		}
	}
}

// TestPanic shows that a panic of the library is an error and costs the
// session.
func TestPanic(t *testing.T) {
	t.Parallel()
	a := snmptest.NewAgent(t)
	a.Set("1.3.1", snmptest.IP(192, 0, 2, 1)) // which decode leaves to the library
	p := pool(t, tools.Tools{})
	c, err := p.Client(at(a.Port))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.session.snmp.SecurityParameters = (*gosnmp.UsmSecurityParameters)(nil)
	if _, err := c.Get(t.Context(), []string{"1.3.1"}); !errors.Is(err, ErrDevice) {
		t.Errorf("a panic became %v", err)
	}
	c.Close()
	if p.Idle() != 0 {
		t.Error("the session is lent again after a panic")
	}
}

func TestDenied(t *testing.T) {
	t.Parallel()
	guard, err := tools.NewGuard([]string{"127.0.0.0/8"})
	if err != nil {
		t.Fatal(err)
	}
	a := snmptest.NewAgent(t)
	for _, transport := range []string{"udp", "tcp"} {
		_, err = get(t, t.Context(), pool(t, tools.Tools{Guard: guard}), at(a.Port, func(s *Settings) { s.Transport = transport }), "1.3.1")
		var denied *tools.DeniedError
		if !errors.As(err, &denied) {
			t.Errorf("Get over %s from a denied target = %v", transport, err)
		}
	}
	if len(a.Requests()) != 0 {
		t.Error("a denied target was asked")
	}
}

func TestParseOID(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"1.3.6.1": "1.3.6.1", ".1.3.6": "1.3.6", "2.999": "2.999", "0.39": "0.39",
		"": "", "1": "", "1.": "", ".": "", "1..3": "", "..1.3": "", "3.1": "", "1.40": "", "1.3.x": "", "1.3.-1": "",
		"1.3.4294967295": "1.3.4294967295", "1.3.4294967296": "", "1.03": "", "sysUpTime.0": "",
		"1.3" + strings.Repeat(".1", 127): "",
	} {
		got, err := ParseOID(text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("ParseOID(%.40q) = %q, %v, want %q", text, got, err, want)
		}
	}
}

func TestAfter(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"1.3.10", "1.3.9", true}, {"1.3.9", "1.3.10", false}, {"1.3", "1.3", false},
		{"1.3.0", "1.3", true}, {"1.3", "1.3.0", false}, {"2.1", "1.9.9", true},
	} {
		if got := after(tt.a, tt.b); got != tt.want {
			t.Errorf("after(%s, %s) = %v", tt.a, tt.b, got)
		}
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	base := `{"host":"127.0.0.1"`
	for params, want := range map[string]string{
		``:                                      "",
		`,"version":1`:                          "",
		`,"version":"v2c","community":"public"`: "",
		`,"version":3,"user":"u"`:               "",
		`,"version":3,"user":"u","auth_protocol":"sha512","auth_password":{"secret":"a"},"priv_protocol":"aes256","priv_password":{"secret":"p"},"context":"c","context_engine":"80001f88"`: "",
		`,"community":{"secret":"snmp"}`: "",
		`,"community":"private"`:         "community",
		`,"version":4`:                   "version",
		`,"port":0`:                      "port",
		`,"port":65536`:                  "port",
		`,"transport":"icmp"`:            "transport",
		`,"timeout":"0s"`:                "timeout",
		`,"retries":11`:                  "retries",
		`,"retries":-1`:                  "retries",
		`,"max_oids":61`:                 "max_oids",
		`,"max_repetitions":0`:           "max_repetitions",
		`,"user":"u"`:                    "version",
		`,"version":3`:                   "user",
		`,"version":3,"user":"u","community":{"secret":"x"}`:                                                                                 "community",
		`,"version":3,"user":"u","auth_protocol":"sha1","auth_password":{"secret":"a"}`:                                                      "auth_protocol",
		`,"version":3,"user":"u","auth_protocol":"sha"`:                                                                                      "auth_password",
		`,"version":3,"user":"u","auth_password":{"secret":"a"}`:                                                                             "auth_password",
		`,"version":3,"user":"u","priv_protocol":"aes","priv_password":{"secret":"a"}`:                                                       "priv_protocol",
		`,"version":3,"user":"u","auth_protocol":"sha","auth_password":{"secret":"a"},"priv_protocol":"3des","priv_password":{"secret":"a"}`: "priv_protocol",
		`,"version":3,"user":"u","context_engine":"zz"`:                                                                                      "context_engine",
		`,"version":3,"user":"u","auth_protocol":"sha","auth_password":"plaintext"`:                                                          "auth_password",
	} {
		s := DefaultSettings()
		err := check.Decode([]byte(base+params+"}"), &s)
		if err == nil {
			err = s.Validate()
		}
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("settings %s: %v, want %q", params, err, want)
		}
		if err != nil && (strings.Contains(err.Error(), "plaintext") || strings.Contains(err.Error(), "private")) {
			t.Errorf("settings %s: the error tells the password: %v", params, err)
		}
	}
	if err := new(Settings).Validate(); err == nil {
		t.Error("empty settings are valid")
	}
}
