package system

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// byHand is how long what somebody wrote into Redis by hand may wait.
const byHand = 10 * time.Second

// spec is the text of a check of the target.
func (f *fleet) spec(id, every string) string {
	return fmt.Sprintf(`{"id":"%s","command":"tcp","every":"%s","params":{"host":"127.0.0.1","port":%d,"send":"%s\n","expect":"ok"}}`,
		id, every, f.target.port, id)
}

// Checks can be written, changed and taken out by hand, past the intake.
func TestHandWritten(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.up(2, 2)
	f.add(20, time.Second)

	begun := time.Now()
	for i := range 10 {
		f.cli("HSET", key("specs"), fmt.Sprintf("h%d", i), f.spec(fmt.Sprintf("h%d", i), "1s"))
		f.cli("HSET", key("specs"), fmt.Sprintf("z%d", i), f.spec(fmt.Sprintf("z%d", i), "1s"))
		f.cli("ZADD", key("due"), "0", fmt.Sprintf("z%d", i))
	}
	worst := time.Duration(0)
	for i := range 10 {
		for _, id := range []string{fmt.Sprintf("h%d", i), fmt.Sprintf("z%d", i)} {
			f.eventually(byHand, func() error {
				if f.target.since(id, begun) < 2 {
					return fmt.Errorf("%s was written by hand and does not run", id)
				}
				return nil
			})
			worst = max(worst, f.target.first(id, begun).Sub(begun))
		}
	}
	t.Logf("checks written by hand run after %s at the latest", worst.Round(time.Millisecond))

	f.cli("HSET", key("specs"), "h0", strings.Replace(f.spec("h0", "1s"), `h0\n`, `edited\n`, 1))
	f.eventually(byHand, func() error {
		if len(f.target.of("edited")) == 0 {
			return fmt.Errorf("the changed spec of h0 is not used")
		}
		return nil
	})
	f.cli(append([]string{"HDEL", key("specs")}, "h1", "h2", "z1", "z2")...)
	f.cli("HSET", key("specs"), "broken", `{"id":"broken","command":"tcp","every":"5 minutes"}`)
	f.eventually(byHand, func() error {
		out := f.cli("XREVRANGE", "redpoll:intake:log", "+", "-", "COUNT", "10")
		if !strings.Contains(out, "5 minutes") {
			return fmt.Errorf("no verdict on the broken spec")
		}
		return nil
	})
	removed := time.Now().Add(byHand)
	f.eventually(byHand+time.Second, func() error {
		for _, id := range []string{"h1", "h2", "z1", "z2"} {
			if n := f.target.since(id, time.Now().Add(-1500*time.Millisecond)); n > 0 {
				return fmt.Errorf("%s was taken out by hand and still runs", id)
			}
		}
		return nil
	})
	t.Logf("checks taken out by hand have stopped %s before their bound", time.Until(removed).Round(time.Millisecond))
	f.cli("HDEL", key("specs"), "broken")
	sum := f.finish(bounds{gap: time.Second})
	if sum.Doubles > 0 || sum.OffGrid > 0 {
		t.Errorf("the other checks have %d doubles and %d runs beside the grid", sum.Doubles, sum.OffGrid)
	}
}
