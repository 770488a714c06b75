package system

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// verdicts reads the intake's log: verdict and reason by entry, and how many
// verdicts each entry has.
func (f *fleet) verdicts() (verdict, reason map[string]string) {
	f.Helper()
	entries, err := f.client.XRange(f.Context(), "redpoll:intake:log", "-", "+").Result()
	if err != nil {
		f.Fatal(err)
	}
	verdict, reason = map[string]string{}, map[string]string{}
	for _, m := range entries {
		text := func(name string) string { s, _ := m.Values[name].(string); return s }
		verdict[text("entry")], reason[text("entry")] = text("verdict"), text("reason")
	}
	return verdict, reason
}

// ask puts a request into the intake with redis-cli and waits for its verdict.
func (f *fleet) ask(line string) (verdict, reason string) {
	f.Helper()
	entry := f.lines(line)[0]
	if strings.Contains(entry, " ") {
		f.Fatalf("%s: %s", line, entry)
	}
	f.eventually(2*time.Second, func() error {
		vs, rs := f.verdicts()
		if verdict, reason = vs[entry], rs[entry]; verdict == "" {
			return fmt.Errorf("no verdict on %s", line)
		}
		return nil
	})
	return verdict, reason
}

func (f *fleet) accepted(line string) {
	f.Helper()
	if v, reason := f.ask(line); v != "accepted" {
		f.Errorf("%s: %s, %s; want it accepted", line, v, reason)
	}
}

// Requests come while schedulers are killed: each has its verdict, the last
// word on each check holds, and what is deleted stays deleted.
func TestIntakeWhileSchedulersDie(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.up(2, 1)
	f.add(30, time.Second)
	var entries []string
	last := map[string]string{} // the pace of a check, empty for deleted
	kills := 0
	for end := time.Now().Add(phase(10 * time.Second)); time.Now().Before(end); {
		var page []string
		for range 20 {
			id, every := fmt.Sprintf("x%02d", rand.N(40)), fmt.Sprintf("%ds", 1+rand.N(3))
			if last[id] = every; rand.N(3) == 0 {
				last[id] = ""
				page = append(page, "XADD redpoll:intake * op delete id "+id)
				continue
			}
			page = append(page, f.addLine(id, every))
		}
		entries = append(entries, f.lines(page...)...)
		pass(t, 200*time.Millisecond)
		if rand.N(2) == 0 {
			ps := f.running("s")
			p := ps[rand.N(len(ps))]
			p.kill()
			f.again(p)
			kills++
		}
	}
	f.eventually(5*time.Second, func() error {
		verdict, _ := f.verdicts()
		missing := 0
		for _, e := range entries {
			if verdict[e] == "" {
				missing++
			}
		}
		if missing > 0 {
			return fmt.Errorf("%d of %d requests have no verdict", missing, len(entries))
		}
		return nil
	})
	verdict, reason := f.verdicts()
	counts := map[string]int{}
	for _, e := range entries {
		counts[verdict[e]]++
		if verdict[e] == "rejected" && !strings.Contains(reason[e], "no such check") && !strings.Contains(reason[e], "there is no check") {
			t.Errorf("entry %s is rejected: %s", e, reason[e])
		}
	}
	t.Logf("%d requests during %d kills: %v", len(entries), kills, counts)
	f.eventually(5*time.Second, func() error { // a verdict is written before its entry goes
		if n := f.cli("XLEN", "redpoll:intake"); n != "0" {
			return fmt.Errorf("XLEN redpoll:intake = %s at the end, want 0", n)
		}
		return nil
	})
	calm := time.Now()
	pass(t, 5*time.Second)
	for id, every := range last {
		spec, ran := f.cli("HGET", key("specs"), id), f.target.since(id, calm)
		if every == "" && (spec != "" || ran > 1) {
			t.Errorf("%s was deleted, and has the spec %q and %d runs since", id, spec, ran)
		}
		if every != "" && (!strings.Contains(spec, `"every":"`+every+`"`) || ran == 0) {
			t.Errorf("%s was set to every %s, and has the spec %s and %d runs since", id, every, spec, ran)
		}
	}
	f.finish(bounds{gap: 2 * time.Second})
	f.noRepairs()
}

// Everything an operator does with plain redis-cli, one line each.
func TestOperations(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.up(2, 1)
	f.add(20, time.Second)
	runs := func(id string, from time.Time) func() error {
		return func() error {
			if f.target.since(id, from) == 0 {
				return fmt.Errorf("%s has not run", id)
			}
			return nil
		}
	}
	quiet := func(id, why string) {
		calm := time.Now().Add(100 * time.Millisecond) // what ran just then
		pass(t, 2500*time.Millisecond)
		if n := f.target.since(id, calm); n > 0 {
			t.Errorf("%s ran %d times after %s", id, n, why)
		}
	}
	begun := time.Now()
	f.accepted(f.addLine("a", "1h"))
	f.eventually(time.Second, runs("a", begun))
	begun = time.Now()
	f.accepted("XADD redpoll:intake * op run id a")
	f.eventually(time.Second, runs("a", begun))
	begun = time.Now()
	f.cli("ZADD", key("due"), "0", "a")
	f.eventually(time.Second, runs("a", begun))

	f.accepted(f.addLine("b", "1s"))
	f.accepted("XADD redpoll:intake * op pause id b")
	quiet("b", "pause")
	if v, reason := f.ask("XADD redpoll:intake * op run id b"); v != "rejected" || !strings.Contains(reason, "paused") {
		t.Errorf("run of a paused check: %s, %s", v, reason)
	}
	begun = time.Now()
	f.accepted("XADD redpoll:intake * op resume id b")
	f.eventually(2*time.Second, runs("b", begun))
	f.accepted("XADD redpoll:intake * op delete id b")
	quiet("b", "delete")
	if v, _ := f.ask(f.addLine("a", "1h")); v != "unchanged" {
		t.Errorf("the same request again: %s, want unchanged", v)
	}

	begun = time.Now()
	if out, code := f.redpoll("add", "d", "tcp", "--every", "1h", "host=127.0.0.1", fmt.Sprintf("port=%d", f.target.port), "send=d\n"); code != 0 {
		t.Errorf("redpoll add = %d, %s", code, out)
	}
	f.eventually(time.Second, runs("d", begun))
	for _, args := range [][]string{{"run", "d"}, {"pause", "d"}, {"resume", "d"}, {"get", "d"}, {"describe", "d"}, {"results"}, {"due"}, {"workers"}, {"delete", "d", "--yes"}} {
		if out, code := f.redpoll(args...); code != 0 {
			t.Errorf("redpoll %v = %d, %s", args, code, out)
		}
	}
	f.finish(bounds{gap: time.Second})
	f.noRepairs()
}
