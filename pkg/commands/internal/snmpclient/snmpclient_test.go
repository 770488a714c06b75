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

func TestHostile(t *testing.T) {
	t.Parallel()
	binds := func(oids ...string) (b []snmptest.Bind) {
		for _, oid := range oids {
			b = append(b, snmptest.Bind{OID: oid, Value: snmptest.Int(1)})
		}
		return b
	}
	for _, tt := range []struct {
		name   string
		answer func(r snmptest.Request) [][]byte
		want   error
	}{
		{"silence", func(snmptest.Request) [][]byte { return nil }, ErrNoAnswer},
		{"wrong id", func(r snmptest.Request) [][]byte { return [][]byte{r.WithID(r.ID+7, binds(r.OIDs...)...)} }, ErrNoAnswer},
		{"id 0", func(r snmptest.Request) [][]byte { return [][]byte{r.WithID(0, binds(r.OIDs...)...)} }, ErrDevice},
		{"empty packet", func(snmptest.Request) [][]byte { return [][]byte{{}} }, ErrDevice},
		{"one byte", func(snmptest.Request) [][]byte { return [][]byte{{0x30}} }, ErrDevice},
		{"cut short", func(r snmptest.Request) [][]byte { p := r.With(binds(r.OIDs...)...); return [][]byte{p[:len(p)/2]} }, ErrDevice},
		{"no SNMP", func(snmptest.Request) [][]byte { return [][]byte{[]byte("HTTP/1.1 400 Bad Request\r\n\r\n")} }, ErrDevice},
		{"endless length", func(snmptest.Request) [][]byte { return [][]byte{{0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 2, 1, 1}} }, ErrDevice},
		{"the request itself", func(r snmptest.Request) [][]byte { return [][]byte{r.Raw} }, ErrDevice},
		{"other objects", func(r snmptest.Request) [][]byte { return [][]byte{r.With(binds("1.3.9.9", "1.3.9.8")...)} }, ErrDevice},
		{"fewer objects", func(r snmptest.Request) [][]byte { return [][]byte{r.With(binds(r.OIDs[0])...)} }, ErrDevice},
		{"more objects", func(r snmptest.Request) [][]byte {
			return [][]byte{r.With(append(binds(r.OIDs...), binds("1.3.7")...)...)}
		}, ErrDevice},
		{"no objects", func(r snmptest.Request) [][]byte { return [][]byte{r.With()} }, ErrDevice},
		{"error without an index", func(r snmptest.Request) [][]byte { return [][]byte{r.Refuse(5, 0)} }, ErrDevice},
		{"error with a wild index", func(r snmptest.Request) [][]byte { return [][]byte{r.Refuse(5, 200)} }, ErrDevice},
		{"version 3", func(r snmptest.Request) [][]byte { r.Version = 3; return [][]byte{r.With(binds(r.OIDs...)...)} }, ErrDevice},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := snmptest.NewAgent(t)
			a.Script(tt.answer)
			p := pool(t, tools.Tools{})
			_, err := get(t, t.Context(), p, at(a.Port, quick), "1.3.1", "1.3.2")
			if !errors.Is(err, tt.want) {
				t.Errorf("Get = %v, want %v", err, tt.want)
			}
			if polite := strings.HasPrefix(tt.name, "error "); (p.Idle() == 1) != polite {
				t.Errorf("%d sessions are kept, want one only of a device that keeps to the protocol", p.Idle())
			}
			if len(err.Error()) > 200 {
				t.Errorf("error text of %d bytes: %.300s", len(err.Error()), err)
			}
		})
	}
}

// TestMangled sends each answer with one byte changed, and each cut short.
func TestMangled(t *testing.T) {
	t.Parallel()
	a := snmptest.NewAgent(t)
	a.Set("1.3.1", snmptest.Octets("hello"))
	a.Set("1.3.2", snmptest.Float(0x3fc00000))
	at1 := at(a.Port, func(s *Settings) { s.Timeout, s.Retries = check.Duration(10*time.Millisecond), 0 })
	p := pool(t, tools.Tools{})
	if _, err := get(t, t.Context(), p, at(a.Port), "1.3.1", "1.3.2"); err != nil {
		t.Fatal(err)
	}
	size := len(a.Answer(a.Requests()[0]))
	for i := range size {
		for _, flip := range []byte{0x01, 0x80, 0xff} {
			a.Script(func(r snmptest.Request) [][]byte {
				p := a.Answer(r)
				p[min(i, len(p)-1)] ^= flip
				return [][]byte{p, p[:min(i, len(p))]}
			})
			values, err := get(t, t.Context(), p, at1, "1.3.1", "1.3.2")
			if err == nil && len(values) != 2 || err != nil && !errors.Is(err, ErrDevice) && !errors.Is(err, ErrNoAnswer) {
				t.Fatalf("byte %d xor %#x: Get = %v, %v", i, flip, values, err)
			}
		}
	}
}

// TestLateAnswer shows that the answer to an earlier try is not taken for
// that of a later request over the same session.
func TestLateAnswer(t *testing.T) {
	t.Parallel()
	a := snmptest.NewAgent(t)
	var before []byte
	n := int64(0)
	a.Script(func(r snmptest.Request) [][]byte {
		n++
		now := r.With(snmptest.Bind{OID: r.OIDs[0], Value: snmptest.Int(n)})
		defer func() { before = now }()
		if before == nil {
			return [][]byte{now}
		}
		return [][]byte{before, now}
	})
	p := pool(t, tools.Tools{})
	for want := int64(1); want <= 5; want++ {
		got, err := get(t, t.Context(), p, at(a.Port, quick), "1.3.1")
		if err != nil || got[0].Int != want {
			t.Fatalf("Get = %v, %v, want %d", got, err, want)
		}
	}
	if a.Sources() != 1 {
		t.Errorf("%d sockets, want 1", a.Sources())
	}
}

// TestRefused shows that a closed port is an answer of its own, soon.
func TestRefused(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"udp", "tcp"} {
		begin := time.Now()
		_, err := get(t, t.Context(), pool(t, tools.Tools{}), at(1, func(s *Settings) { s.Transport = transport }), "1.3.1")
		if !errors.Is(err, ErrNoAnswer) || !strings.Contains(err.Error(), "refused") || time.Since(begin) > time.Second {
			t.Errorf("Get over %s from a closed port = %v after %v", transport, err, time.Since(begin))
		}
	}
}

// TestPanic shows that a panic of the library is an error and costs the
// session.
func TestPanic(t *testing.T) {
	t.Parallel()
	a := snmptest.NewAgent(t)
	a.Set("1.3.1", snmptest.Int(1))
	p := pool(t, tools.Tools{})
	c, err := p.Client(at(a.Port))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.ask(t.Context(), request{retries: -1, send: nil}); !errors.Is(err, ErrDevice) {
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
