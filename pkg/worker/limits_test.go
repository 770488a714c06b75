package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// devices are targets that are slow; it counts who measures them.
type devices struct {
	mu      sync.Mutex // guards the rest
	running map[string]int
	most    map[string]int
	order   []string // ids, as they began
}

// device is a command with a target.
type device struct {
	check.CommandFunc
	host string
}

func (d device) Target() string {
	if d.host == "panic" {
		panic("no target")
	}
	return d.host
}

// command takes as long as its param takes says; a deaf one does not obey.
func (d *devices) command(params json.RawMessage) (check.Command, error) {
	var p struct {
		Host, Takes string
		Deaf        bool
	}
	if err := json.Unmarshal(params, &p); err != nil {
		return nil, err
	}
	takes, err := time.ParseDuration(p.Takes)
	run := lasts(takes)
	if p.Deaf {
		run = deaf(takes)
	}
	cmd, _ := run(nil)
	return device{func(ctx context.Context, r check.Run) (check.Result, error) {
		host := strings.Trim(strings.ToLower(p.Host), "[].")
		d.mu.Lock()
		d.running[host]++
		d.most[host] = max(d.most[host], d.running[host])
		d.order = append(d.order, r.Check.ID)
		d.mu.Unlock()
		defer func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.running[host]--
		}()
		return cmd.Run(ctx, r)
	}, p.Host}, err
}

// use lets a worker have the command device.
func (d *devices) use(c *Config) {
	d.running, d.most = map[string]int{}, map[string]int{}
	c.Commands = check.Commands{"device": d.command, "fine": command(fine)}
}

// deviceSpec makes a check of a device.
func deviceSpec(id, host, takes, every string) string {
	return fmt.Sprintf(`{"id":%q,"command":"device","every":"%s","timeout":"20s","params":{"host":%q,"takes":%q}}`, id, every, host, takes)
}

// ran gives the ids of the completions that have a result, and counts the others.
func (f *fake) ran() (ids []string, skipped int) {
	for _, c := range f.completions() {
		if c.Last == "" {
			skipped++
		} else {
			ids = append(ids, c.ID)
		}
	}
	return ids, skipped
}

// TestPerTarget: a slow device with many checks leaves the slots to others, and
// its checks are run one after the other, whatever its name is written like.
func TestPerTarget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, m, d := newFake(), newCounter(), &devices{}
		for i := range 50 {
			host := []string{"Switch", "switch.", "[SWITCH]"}[i%3]
			q.put(fmt.Sprint("slow", i), deviceSpec(fmt.Sprint("slow", i), host, "5s", `2h","phase":"1h`))
		}
		for i := range 30 {
			q.put(fmt.Sprint("quick", i), deviceSpec(fmt.Sprint("quick", i), fmt.Sprint("host", i), "10ms", "1m"))
		}
		w := start(t, q, func(c *Config) { c.Slots, c.PerTarget, c.Metrics = 10, 4, m; d.use(c) })
		pass(time.Second)
		ids, _ := q.ran()
		if len(ids) != 30 || slices.ContainsFunc(ids, func(id string) bool { return !strings.HasPrefix(id, "quick") }) {
			t.Errorf("after a second %d checks ran, want the 30 of the others", len(ids))
		}
		free, busy, stuck := w.Slots()
		if target, slow := w.Waiting(); free != 6 || busy != 4 || stuck != 0 || target != 46 || slow != 0 {
			t.Errorf("slots %d %d %d, %d and %d wait; want 4 busy and 46 that wait for the device", free, busy, stuck, target, slow)
		}
		pass(70 * time.Second)
		ids, skipped := q.ran()
		if len(ids) != 80 || skipped != 0 || m.count(CountMissed) != 0 {
			t.Errorf("%d checks ran, %d were left out, want all of them: their next slot is hours away", len(ids), skipped)
		}
		if d.most["switch"] != 4 || len(m.late) != 80 {
			t.Errorf("%d runs of the device at once, %d starts; want 4 and 80", d.most["switch"], len(m.late))
		}
		w.stop()
	})
}

// TestPerTargetLeavesOut: what cannot be run in time is counted as missed, and
// the checks take turns.
func TestPerTargetLeavesOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, m, d := newFake(), newCounter(), &devices{}
		w := start(t, q, func(c *Config) { c.Slots, c.PerTarget, c.Metrics = 10, 1, m; d.use(c) })
		turns := map[string]int{}
		for round := range 6 {
			for i := range 6 {
				id := fmt.Sprint("a", i)
				q.mu.Lock()
				q.planned[id] = q.now()
				q.mu.Unlock()
				q.put(id, deviceSpec(id, "switch", "5s", "20s"))
			}
			pass(30 * time.Second)
			ids, skipped := q.ran()
			if len(ids)+skipped != 6*(round+1) {
				t.Errorf("round %d: %d ran and %d were left out, want %d in all", round, len(ids), skipped, 6*(round+1))
			}
			clear(turns)
			for _, id := range ids {
				turns[id]++
			}
		}
		if len(turns) != 6 || slices.Min(slices.Collect(maps.Values(turns))) < 2 {
			t.Errorf("runs of each check: %v, want turns", turns)
		}
		if m.count(CountMissed) == 0 {
			t.Error("no slot was counted as missed")
		}
		w.stop()
	})
}

// TestSlowChecksLeaveSlots: checks that were slow the last time, of a dead
// network say, never have all slots; what waits is handed back for others.
func TestSlowChecksLeaveSlots(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		slowSlots int
		slow      int
	}{{"default", 0, 15}, {"fewer", 5, 5}, {"no limit", -1, 20}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				q, d := newFake(), &devices{}
				pass(time.Hour)
				for i := range 60 {
					id := fmt.Sprint("dead", i)
					q.last[id] = `{"state":"UNKNOWN","at":"2026-01-02T03:04:05Z","planned":1,"started":1,"finished":1001,"worker":"w","since":1}`
					q.put(id, deviceSpec(id, id, "19s", "5m"))
				}
				w := start(t, q, func(c *Config) { c.Slots, c.SlowSlots = 20, tt.slowSlots; d.use(c) })
				pass(time.Second)
				q.put("quick", specOf("quick", "fine", ""))
				pass(100 * time.Millisecond)
				ids, _ := q.ran()
				if _, busy, _ := w.Slots(); busy != tt.slow || (len(ids) == 1) != (tt.slow < 20) {
					t.Errorf("%d slots are busy, %v ran; want %d slow ones", busy, ids, tt.slow)
				}
				if _, slow := w.Waiting(); slow != map[bool]int{true: 60 - tt.slow}[tt.slow < 20] {
					t.Errorf("%d runs wait", slow)
				}
				pass(3 * time.Second)
				if n := len(q.released); n != map[bool]int{true: 60 - tt.slow}[tt.slow < 20] {
					t.Errorf("%d runs were handed back", n)
				}
				w.stop()
			})
		})
	}
}

// TestStopHandsBackWaiting: a stop waits for no run that has not begun.
func TestStopHandsBackWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, d := newFake(), &devices{}
		for i := range 20 {
			q.put(fmt.Sprint("a", i), deviceSpec(fmt.Sprint("a", i), "switch", "5s", "1m"))
		}
		w := start(t, q, func(c *Config) { c.Slots, c.PerTarget = 10, 2; d.use(c) })
		pass(time.Second)
		if took := w.stop(); took > 5*time.Second {
			t.Errorf("stop took %s, want the rest of two runs", took)
		}
		if ids, _ := q.ran(); len(ids) != 2 || len(q.released) != 18 {
			t.Errorf("%v ran, %d were handed back; want 2 and 18", ids, len(q.released))
		}
		if free, busy, stuck := w.Slots(); free != 10 || busy+stuck != 0 {
			t.Errorf("Slots() = %d, %d, %d after the stop", free, busy, stuck)
		}
	})
}

// TestLostWhileWaiting: a lease that another has taken meanwhile is of no use.
func TestLostWhileWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, m, d := newFake(), newCounter(), &devices{}
		q.put("a", deviceSpec("a", "switch", "18s", "2h"))
		w := start(t, q, func(c *Config) { c.PerTarget, c.Metrics = 1, m; d.use(c) })
		pass(time.Second) // a has its target now
		q.put("b", deviceSpec("b", "switch", "18s", "2h"))
		pass(time.Second)
		q.steal("b")
		pass(time.Minute)
		if ids, _ := q.ran(); !slices.Equal(ids, []string{"a"}) || m.count(CountStale) != 1 || len(d.order) != 1 {
			t.Errorf("%v ran, %v began, %d stale; want a alone", ids, d.order, m.count(CountStale))
		}
		q.put("c", deviceSpec("c", "switch", "1s", "2h"))
		pass(2 * time.Second)
		if ids, _ := q.ran(); !slices.Equal(ids, []string{"a", "c"}) {
			t.Errorf("%v ran, want c too", ids)
		}
		w.stop()
	})
}

// TestDeafTarget: a command that does not end keeps the place of its target,
// so that one device cannot take slot after slot.
func TestDeafTarget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, d := newFake(), &devices{}
		for i := range 5 {
			id := fmt.Sprint("a", i)
			q.put(id, fmt.Sprintf(`{"id":%q,"command":"device","every":"2h","timeout":"2s","params":{"host":"h","takes":"30s","deaf":true}}`, id))
		}
		w := start(t, q, func(c *Config) { c.PerTarget = 2; d.use(c) })
		pass(20 * time.Second)
		if _, busy, stuck := w.Slots(); busy != 0 || stuck != 2 {
			t.Errorf("%d slots are busy and %d stuck, want 2 that are stuck", busy, stuck)
		}
		w.stop()
		pass(time.Minute)
	})
}

// TestSuspectDoesNotWait: it would hold up the other suspects.
func TestSuspectDoesNotWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, d := newFake(), &devices{}
		q.put("a", deviceSpec("a", "switch", "15s", "2h"))
		q.crashes["poison"] = 2
		w := start(t, q, func(c *Config) { c.PerTarget = 1; d.use(c) })
		pass(time.Second)
		q.put("poison", deviceSpec("poison", "switch", "1s", "2h"))
		pass(2 * time.Second)
		if ids, _ := q.ran(); !slices.Equal(ids, []string{"poison"}) {
			t.Errorf("%v ran, want the suspect", ids)
		}
		w.stop()
	})
}

func TestTargetThatPanics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, d := newFake(), &devices{}
		q.put("a", deviceSpec("a", "panic", "1s", "1m"))
		w := start(t, q, func(c *Config) { c.PerTarget = 2; d.use(c) })
		pass(2 * time.Second)
		if last, _, _ := q.result(t, "a"); last.Reason != check.ReasonBadParams {
			t.Errorf("result %v, want BAD_PARAMS", last.Result)
		}
		w.stop()
	})
}

// TestGateTurns: the run whose check has waited longest for one goes first.
func TestGateTurns(t *testing.T) {
	t.Parallel()
	var g gate
	g.init(2, 3, 4)
	now := time.Now()
	enter := func(target string, slow bool, ran int64, want int) *run {
		t.Helper()
		r := &run{permit: permit{target: target, slow: slow, ran: ran}}
		if got := g.enter(r, now); got != want {
			t.Errorf("enter(%s, slow %v) = %d, want %d", target, slow, got, want)
		}
		return r
	}
	a, b := enter("x", true, 5, gateOpen), enter("x", false, 5, gateOpen)
	late, first := enter("x", true, 9, gateWait), enter("x", true, 1, gateWait)
	enter("y", true, 5, gateOpen)
	enter("z", true, 5, gateOpen)
	slow := enter("u", true, 0, gateWait)
	if target, slow := g.counts(); target != 2 || slow != 1 {
		t.Errorf("counts() = %d, %d, want 2 for their target and 1 that is slow", target, slow)
	}
	if next := g.leave(b); len(next) != 0 {
		t.Errorf("%d runs go on, want none: all that wait are slow", len(next))
	}
	if next := g.leave(a); len(next) != 1 || next[0] != slow {
		t.Errorf("leave(a) = %v, want the slow one of u, which ran before all others", next)
	}
	if next := g.leave(slow); len(next) != 1 || next[0] != first {
		t.Errorf("leave(slow) = %v, want the first of x", next)
	}
	dropped, back := g.tired(now.Add(lendAfter), func(*run) bool { return false })
	if len(dropped) != 0 || len(back) != 1 || back[0] != late {
		t.Errorf("tired() = %v, %v, want the last one handed back", dropped, back)
	}
	if rest := g.close(); len(rest) != 0 {
		t.Errorf("close() = %v, want none", rest)
	}
	enter("x", true, 1, gateClosed)
}

// TestGateIsBounded: beyond the bound a run keeps its slot while it waits.
func TestGateIsBounded(t *testing.T) {
	t.Parallel()
	var g gate
	g.init(1, 0, 10)
	for i := range maxWaiting + 2 {
		want := map[bool]int{true: gateOpen, false: gateWait}[i == 0]
		if i == maxWaiting+1 {
			want = gateHold
		}
		if got := g.enter(&run{permit: permit{target: "x", slow: true}}, time.Now()); got != want {
			t.Fatalf("run %d: enter = %d, want %d", i, got, want)
		}
	}
}
