package snmpclient

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands/internal/snmptest"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
)

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
		{"id 0", func(r snmptest.Request) [][]byte { return [][]byte{r.WithID(0, binds(r.OIDs...)...)} }, ErrNoAnswer},
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
			how := quick
			if tt.want == ErrDevice { // there is an answer
				how = patient
			}
			_, err := get(t, t.Context(), p, at(a.Port, how), "1.3.1", "1.3.2")
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
		got, err := get(t, t.Context(), p, at(a.Port), "1.3.1")
		if err != nil || got[0].Int != want {
			t.Fatalf("Get = %v, %v, want %d", got, err, want)
		}
	}
	if a.Sources() != 1 {
		t.Errorf("%d sockets, want 1", a.Sources())
	}
}

// TestJunk shows that what else arrives on the socket costs no try.
func TestJunk(t *testing.T) {
	t.Parallel()
	a := snmptest.NewAgent(t)
	a.Set("1.3.1", snmptest.Int(5))
	a.Script(func(r snmptest.Request) [][]byte {
		other := snmptest.Bind{OID: "1.3.1", Value: snmptest.Int(6)}
		return [][]byte{{}, {0x30}, []byte("GET / HTTP/1.0"), r.Raw, r.WithID(r.ID+1, other), r.WithID(0, other), r.WithID(-1, other), a.Answer(r)}
	})
	got, err := get(t, t.Context(), pool(t, tools.Tools{}), at(a.Port), "1.3.1")
	if err != nil || got[0].Int != 5 || len(a.Requests()) != 1 {
		t.Errorf("Get = %v, %v, want 5 by one request", got, err)
	}
}

// TestFlood shows that a device which sends junk for ever ends no later than a
// silent one.
func TestFlood(t *testing.T) {
	t.Parallel()
	a := snmptest.NewAgent(t)
	flood := make([][]byte, 5000)
	a.Script(func(r snmptest.Request) [][]byte {
		for i := range flood {
			flood[i] = r.WithID(r.ID + i + 1)
		}
		return flood
	})
	begin := time.Now()
	_, err := get(t, t.Context(), pool(t, tools.Tools{}), at(a.Port, quick), "1.3.1")
	if err == nil || time.Since(begin) > time.Second {
		t.Errorf("Get = %v after %v", err, time.Since(begin))
	}
}
