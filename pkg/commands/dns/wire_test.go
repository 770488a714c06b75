package dns

import (
	"errors"
	"testing"

	"github.com/miekg/dns"
)

func TestUnescape(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", "plain": "plain", `a\"b`: `a"b`, `a\\b`: `a\b`, `\195\164`: "ä", `end\`: `end\`, `\25`: "25", `\999`: "999",
	} {
		if got := unescape(text); got != want {
			t.Errorf("unescape(%q) = %q, want %q", text, got, want)
		}
	}
}

func FuzzUnpack(f *testing.F) {
	q := question{name: "www.example.test", kind: "TXT", recurse: true}
	asked, err := miekg{}.pack(q)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(asked)
	m := new(dns.Msg)
	m.SetQuestion("www.example.test.", dns.TypeTXT)
	m.Response = true
	for _, text := range []string{`www.example.test. 1 IN TXT "a\"b" "c"`, "www.example.test. 1 IN A 192.0.2.1"} {
		rr, err := dns.NewRR(text)
		if err != nil {
			f.Fatal(err)
		}
		m.Answer = append(m.Answer, rr)
	}
	good, err := m.Pack()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:len(good)-3])
	f.Fuzz(func(t *testing.T, message []byte) {
		a, err := miekg{}.unpack(message, q)
		if err != nil {
			return
		}
		if a.rcode == "" {
			t.Fatalf("unpack(%x) = %+v without a code", message, a)
		}
		for _, r := range a.records {
			if len(r.forms) == 0 {
				t.Fatalf("unpack(%x) = %+v: a record without a value", message, a)
			}
		}
		if _, err := (miekg{}).unpack(message, question{name: "other.test", kind: "A"}); err == nil && a.rcode == "NOERROR" {
			t.Fatalf("unpack(%x) answers two questions: %v", message, errors.Is(err, errOther))
		}
	})
}
