package snmpclient

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/redpoll/redpoll/pkg/commands/internal/snmptest"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
)

func walked(t *testing.T, p *Pool, s *Settings, root string) (oids []string, err error) {
	t.Helper()
	c, err := p.Client(s)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	err = c.Walk(t.Context(), root, func(v Value) error {
		oids = append(oids, v.OID)
		return nil
	})
	return oids, err
}

// table fills a column with rows.
func table(a *snmptest.Agent, column string, rows int) {
	for i := range rows {
		a.Set(fmt.Sprintf("%s.%d", column, i+1), snmptest.Int(int64(i)))
	}
}

func TestWalk(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		version Version
		tail    bool // something comes after the table
		want    int  // requests
	}{{V2c, true, 4}, {V2c, false, 4}, {V1, true, 98}, {V1, false, 98}} {
		a := snmptest.NewAgent(t)
		table(a, "1.3.6.5.1", 97)
		a.Set("1.3.6.5.0.1", snmptest.Int(0)) // before it
		if tt.tail {
			a.Set("1.3.6.5.10.1", snmptest.Int(0)) // the root's text is a prefix of this one
		}
		oids, err := walked(t, pool(t, tools.Tools{}), at(a.Port, func(s *Settings) { s.Version = tt.version }), "1.3.6.5.1")
		if err != nil || len(oids) != 97 || oids[0] != "1.3.6.5.1.1" || oids[96] != "1.3.6.5.1.97" {
			t.Errorf("version %s: Walk = %d rows %v, %v", tt.version, len(oids), oids, err)
		}
		if n := len(a.Requests()); n != tt.want {
			t.Errorf("version %s: %d requests for 97 rows, want %d", tt.version, n, tt.want)
		}
	}
}

// TestFallback shows that a device which does not answer GETBULK is walked
// with GETNEXT, and not asked for GETBULK again.
func TestFallback(t *testing.T) {
	t.Parallel()
	for name, refuse := range map[string]func(snmptest.Request) [][]byte{
		"silence": func(snmptest.Request) [][]byte { return nil },
		"error":   func(r snmptest.Request) [][]byte { return [][]byte{r.Refuse(5, 1)} },
		"junk":    func(snmptest.Request) [][]byte { return [][]byte{{0x30, 0}} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := snmptest.NewAgent(t)
			table(a, "1.3.6.5", 9)
			a.Script(func(r snmptest.Request) [][]byte {
				if r.PDU == snmptest.GetBulk {
					return refuse(r)
				}
				return [][]byte{a.Answer(r)}
			})
			p := pool(t, tools.Tools{})
			if oids, err := walked(t, p, at(a.Port, patient), "1.3.6.5"); err != nil || len(oids) != 9 {
				t.Fatalf("Walk = %v, %v", oids, err)
			}
			a.Requests()
			if oids, err := walked(t, p, at(a.Port, patient), "1.3.6.5"); err != nil || len(oids) != 9 {
				t.Fatalf("second Walk = %v, %v", oids, err)
			}
			for _, r := range a.Requests() {
				if r.PDU == snmptest.GetBulk {
					t.Fatal("the second walk tries GETBULK again")
				}
			}
		})
	}
}

// TestLittleRoom shows that a device without room for many rows is asked for
// fewer.
func TestLittleRoom(t *testing.T) {
	t.Parallel()
	a := snmptest.NewAgent(t)
	table(a, "1.3.6.5", 20)
	a.Script(func(r snmptest.Request) [][]byte {
		if r.Rows > 6 {
			return [][]byte{r.Refuse(1, 0)}
		}
		return [][]byte{a.Answer(r)}
	})
	oids, err := walked(t, pool(t, tools.Tools{}), at(a.Port), "1.3.6.5")
	if n := len(a.Requests()); err != nil || len(oids) != 20 || n != 5 {
		t.Errorf("Walk = %d rows in %d requests, %v", len(oids), n, err)
	}
}

// TestHostileWalk shows that no answer makes a walk endless or large.
func TestHostileWalk(t *testing.T) {
	t.Parallel()
	row := 0
	for _, tt := range []struct {
		name   string
		answer func(r snmptest.Request) [][]byte
		why    string
	}{
		{"the same row", func(r snmptest.Request) [][]byte {
			return [][]byte{r.With(snmptest.Bind{OID: "1.3.6.5.1", Value: snmptest.Int(1)}, snmptest.Bind{OID: "1.3.6.5.1", Value: snmptest.Int(1)})}
		}, "rise"},
		{"back and forth", func(r snmptest.Request) [][]byte {
			return [][]byte{r.With(snmptest.Bind{OID: "1.3.6.5.9", Value: snmptest.Int(1)}, snmptest.Bind{OID: "1.3.6.5.10", Value: snmptest.Int(1)}, snmptest.Bind{OID: "1.3.6.5.2", Value: snmptest.Int(1)})}
		}, "rise"},
		{"endless rows", func(r snmptest.Request) [][]byte {
			var binds []snmptest.Bind
			for range 500 {
				row++
				binds = append(binds, snmptest.Bind{OID: fmt.Sprintf("1.3.6.5.%d", row), Value: snmptest.Int(1)})
			}
			return [][]byte{r.With(binds...)}
		}, "larger"},
		{"giant texts", func(r snmptest.Request) [][]byte {
			row++
			return [][]byte{r.With(snmptest.Bind{OID: fmt.Sprintf("1.3.6.5.%d", row), Value: snmptest.Octets(strings.Repeat("x", 60000))})}
		}, "larger"},
		{"nothing", func(r snmptest.Request) [][]byte { return [][]byte{r.With()} }, "nothing"},
	} {
		t.Run(tt.name, func(t *testing.T) { // one after the other: they share row
			a := snmptest.NewAgent(t)
			a.Script(tt.answer)
			oids, err := walked(t, pool(t, tools.Tools{}), at(a.Port), "1.3.6.5")
			if !errors.Is(err, ErrDevice) || !strings.Contains(err.Error(), tt.why) || len(oids) > MaxRows {
				t.Errorf("Walk = %d rows, %v, want an error with %q", len(oids), err, tt.why)
			}
		})
	}
}

func TestWalkStops(t *testing.T) {
	t.Parallel()
	a := snmptest.NewAgent(t)
	table(a, "1.3.6.5", 100)
	p := pool(t, tools.Tools{})
	c, err := p.Client(at(a.Port))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	enough := errors.New("enough")
	n := 0
	if err := c.Walk(t.Context(), "1.3.6.5", func(Value) error { n++; return enough }); !errors.Is(err, enough) || n != 1 {
		t.Errorf("Walk = %v after %d rows", err, n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = c.Walk(ctx, "1.3.6.5", func(Value) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Walk under a cancelled context = %v", err)
	}
}

func TestInterfaces(t *testing.T) {
	t.Parallel()
	a := snmptest.NewAgent(t)
	for i, name := range []string{"lo", "ge-0/0/0", "ge-0/0/1", "twin", "twin"} {
		a.Set(fmt.Sprintf("%s.%d", ifName, i+1), snmptest.Octets(name))
		a.Set(fmt.Sprintf("%s.%d", ifAlias, i+1), snmptest.Octets("to "+name))
	}
	a.Set(ifDescr+".77", snmptest.Octets("old eth0\x00"))
	p := pool(t, tools.Tools{})
	find := func(again bool, wanted ...Selector) ([]Interface, error) {
		t.Helper()
		c, err := p.Client(at(a.Port))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.Interfaces(t.Context(), wanted, again)
	}
	wanted := []Selector{{Name: "ge-0/0/1"}, {Alias: "to ge-0/0/0"}, {Name: "old eth0"}, {Name: "none"}}
	want := []Interface{{3, ifName}, {2, ifAlias}, {77, ifDescr}, {}}
	check := func(again bool) {
		t.Helper()
		got, err := find(again, wanted...)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("Interfaces = %v, %v, want %v", got, err, want)
		}
	}
	check(false)
	a.Requests()
	check(false)
	if n := len(a.Requests()); n != 0 {
		t.Errorf("%d requests for what is known", n)
	}
	a.Set(ifName+".3", snmptest.Octets("moved"))
	a.Set(ifName+".9", snmptest.Octets("ge-0/0/1"))
	want[0].Index = 9
	check(true)
	check(false)
	if _, err := find(false, Selector{Name: "twin"}); !errors.Is(err, ErrDevice) || !strings.Contains(err.Error(), "several") {
		t.Errorf("Interfaces of an ambiguous name = %v", err)
	}
}
