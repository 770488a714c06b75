package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// around is what stands around a fake queue's checks.
type around struct {
	aroundMu  sync.Mutex // guards the rest
	downtimes map[string]string
	near      map[string]check.Nearby
	fails     error // of all reads
	asked     int   // questions about neighbours
	hurried   []string
	wanted    check.State
	hangs     bool
}

func (a *around) Downtimes(ctx context.Context) (map[string]string, error) {
	a.aroundMu.Lock()
	hangs := a.hangs
	a.aroundMu.Unlock()
	if hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	a.aroundMu.Lock()
	defer a.aroundMu.Unlock()
	return a.downtimes, a.fails
}

func (a *around) Neighbours(_ context.Context, _ string, ids []string) ([]check.Nearby, error) {
	a.aroundMu.Lock()
	defer a.aroundMu.Unlock()
	a.asked++
	out := make([]check.Nearby, len(ids))
	for i, id := range ids {
		out[i] = a.near[id]
		out[i].ID = id
	}
	return out, a.fails
}

func (a *around) Hurry(_ context.Context, _ string, ids []string) error {
	a.aroundMu.Lock()
	defer a.aroundMu.Unlock()
	a.hurried = append(a.hurried, ids...)
	return a.fails
}

// hang makes Downtimes wait until its caller has enough.
func (a *around) hang(on bool) {
	a.aroundMu.Lock()
	defer a.aroundMu.Unlock()
	a.hangs = on
}

func (a *around) setDowntimes(texts map[string]string, fails error) {
	a.aroundMu.Lock()
	defer a.aroundMu.Unlock()
	a.downtimes, a.fails = texts, fails
}

// setNear says that a check ran at a time, unix ms, with that result.
func (a *around) setNear(id string, state check.State, at int64, held string) {
	a.aroundMu.Lock()
	defer a.aroundMu.Unlock()
	text, err := json.Marshal(check.Last{Result: check.Result{State: state, At: time.UnixMilli(at)}, Planned: at, Started: at, Since: at, Held: held})
	if err != nil {
		panic(err)
	}
	if a.near == nil {
		a.near = map[string]check.Nearby{}
	}
	a.near[id] = check.Nearby{There: true, Last: string(text)}
}

// startAround starts a worker whose command "wanted" finds what ran wants.
func startAround(t *testing.T, q *fake) *started {
	return start(t, q, func(c *Config) {
		c.Commands["wanted"] = command(func(context.Context, check.Run) (check.Result, error) {
			q.aroundMu.Lock()
			defer q.aroundMu.Unlock()
			return check.Result{State: q.wanted, Reason: "R", At: time.Now()}, nil
		})
	})
}

// ran runs a check once more, now, and gives its event and when it is due next.
func (s *started) ran(q *fake, id string, state check.State, more string) (ev check.Event, next int64) {
	s.t.Helper()
	q.mu.Lock()
	q.planned[id] = q.now()
	q.mu.Unlock()
	q.aroundMu.Lock()
	q.wanted = state
	q.aroundMu.Unlock()
	q.put(id, specOf(id, "wanted", more))
	pass(time.Second)
	all := q.completions()
	done := all[len(all)-1]
	if err := json.Unmarshal([]byte(done.Event), &ev); err != nil || done.ID != id {
		s.t.Fatalf("the last completion is %+v, %v, want one of %s", done, err, id)
	}
	return ev, done.Next
}

// downtimeText makes a downtime of all checks, from now on.
func downtimeText(id string, d time.Duration) string {
	now := time.Now().UTC()
	return fmt.Sprintf(`{"id":%q,"checks":["*"],"from":%q,"until":%q}`, id, now.Format(time.RFC3339Nano), now.Add(d).Format(time.RFC3339Nano))
}

func TestDowntimeHoldsIncidents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newFake()
		q.setDowntimes(map[string]string{"junk": "junk", "maint": downtimeText("maint", time.Minute)}, nil)
		w := startAround(t, q)
		pass(time.Second)
		if ev, _ := w.ran(q, "a", check.StateCrit, ""); ev.Change != check.ChangeNone || ev.Held != "downtime:maint" || ev.Soft {
			t.Errorf("in the downtime: change %q held %q soft %v", ev.Change, ev.Held, ev.Soft)
		}
		if ev, _ := w.ran(q, "b", check.StateOK, ""); ev.Held != "" {
			t.Errorf("OK in the downtime: held %q", ev.Held)
		}
		pass(time.Minute)
		if ev, _ := w.ran(q, "a", check.StateCrit, ""); ev.Change != check.ChangeOpen || ev.Fails != 2 || ev.Held != "" {
			t.Errorf("after the downtime: change %q fails %d held %q", ev.Change, ev.Fails, ev.Held)
		}
		// A new one is seen soon; what is open resolves in it.
		q.setDowntimes(map[string]string{"more": downtimeText("more", time.Hour)}, nil)
		pass(downtimesEvery * 12 / 10)
		if ev, _ := w.ran(q, "c", check.StateCrit, ""); ev.Held != "downtime:more" {
			t.Errorf("in the second downtime: held %q", ev.Held)
		}
		if ev, _ := w.ran(q, "a", check.StateOK, ""); ev.Change != check.ChangeResolve {
			t.Errorf("OK in the second downtime: change %q", ev.Change)
		}
		// The list cannot be read: it stays. It is empty: there are none.
		q.setDowntimes(nil, errAway)
		pass(time.Minute)
		q.setDowntimes(nil, errAway)
		if ev, _ := w.ran(q, "d", check.StateCrit, ""); ev.Held != "downtime:more" {
			t.Errorf("while the list cannot be read: held %q", ev.Held)
		}
		q.setDowntimes(nil, nil)
		pass(time.Minute)
		if ev, _ := w.ran(q, "d", check.StateCrit, ""); ev.Change != check.ChangeOpen {
			t.Errorf("without downtimes: change %q", ev.Change)
		}
		w.stop()
	})
}

// A downtime that was made a moment ago counts; a queue that hangs holds up all
// who are about to open an incident for no longer than one question.
func TestDowntimesAreReadBeforeIncidents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newFake()
		w := startAround(t, q)
		pass(20 * time.Second)
		q.setDowntimes(map[string]string{"now": downtimeText("now", time.Hour)}, nil)
		if ev, _ := w.ran(q, "a", check.StateCrit, ""); ev.Held != "downtime:now" {
			t.Errorf("made just before: held %q", ev.Held)
		}
		pass(10 * time.Second)
		q.hang(true)
		for i := range 50 {
			q.put(fmt.Sprint("c", i), specOf(fmt.Sprint("c", i), "crit", ""))
		}
		pass(2*askTime + time.Second)
		if n := len(q.completions()); n != 51 {
			t.Errorf("%d of 50 checks came through while the queue hangs", n-1)
		}
		q.hang(false)
		w.stop()
	})
}

// A worker that cannot read the downtimes begins no run; one that may not, or
// finds something else there, goes on without.
func TestDowntimesBeforeTheFirstRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newFake()
		q.setDowntimes(nil, errAway)
		w := startAround(t, q)
		pass(time.Minute)
		if n := q.readCount(); n != 0 || w.Ready() == nil {
			t.Errorf("%d reads without downtimes, ready %v", n, w.Ready())
		}
		q.setDowntimes(map[string]string{"maint": downtimeText("maint", time.Hour)}, nil)
		pass(10 * time.Second)
		if ev, _ := w.ran(q, "a", check.StateCrit, ""); ev.Held != "downtime:maint" {
			t.Errorf("held %q", ev.Held)
		}
		w.stop()
	})
	for _, answer := range []string{"WRONGTYPE no hash", "NOPERM no permissions"} {
		synctest.Test(t, func(t *testing.T) {
			q := newFake()
			q.setDowntimes(nil, replyError(answer))
			w := startAround(t, q)
			pass(time.Second)
			if ev, _ := w.ran(q, "a", check.StateCrit, ""); ev.Change != check.ChangeOpen {
				t.Errorf("%s: change %q", answer, ev.Change)
			}
			w.stop()
		})
	}
}

// replyError is an error that Redis itself answered.
type replyError string

func (e replyError) Error() string { return string(e) }
func (replyError) RedisError()     {}

// A parent that runs once, later, is not made to run before, and nothing waits
// for it.
func TestParentOfLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newFake()
		w := startAround(t, q)
		pass(time.Second)
		q.aroundMu.Lock()
		q.near = map[string]check.Nearby{"once": {There: true, At: q.now() + 60_000}}
		q.aroundMu.Unlock()
		ev, _ := w.ran(q, "a", check.StateCrit, `,"parents":["once"]`)
		if ev.Change != check.ChangeOpen || ev.Held != "" || len(q.hurried) > 0 {
			t.Errorf("change %q, held %q, hurried %v; want an incident and nobody hurried", ev.Change, ev.Held, q.hurried)
		}
		w.stop()
	})
}

func TestParentsHoldIncidents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const parents = `,"parents":["router1","nobody"]`
		q := newFake()
		w := startAround(t, q)
		pass(time.Second)

		// Nothing is known of the router since the trouble began: it is asked.
		q.setNear("router1", check.StateOK, q.now()-30_000, "")
		ev, next := w.ran(q, "a", check.StateCrit, parents)
		if ev.Held != "waiting:router1" || !ev.Soft || ev.Change != "" || next-ev.Planned > 10_000 {
			t.Errorf("nothing new is known: held %q soft %v change %q next in %d ms", ev.Held, ev.Soft, ev.Change, next-ev.Planned)
		}
		if !slices.Equal(q.hurried, []string{"router1"}) {
			t.Errorf("hurried %v, want router1", q.hurried)
		}
		// It is down: that is the incident, not this one.
		q.setNear("router1", check.StateCrit, q.now(), "")
		pass(8 * time.Second)
		if ev, _ = w.ran(q, "a", check.StateCrit, parents); ev.Held != "parent:router1" || ev.Soft || ev.Change != "" {
			t.Errorf("the router is down: held %q soft %v change %q", ev.Held, ev.Soft, ev.Change)
		}
		pass(time.Minute)
		// It is up again, the check is not.
		q.setNear("router1", check.StateOK, q.now(), "")
		pass(2 * time.Second)
		if ev, _ = w.ran(q, "a", check.StateCrit, parents); ev.Change != check.ChangeOpen || ev.Held != "" {
			t.Errorf("the router is up: change %q held %q", ev.Change, ev.Held)
		}
		q.setNear("router1", check.StateCrit, q.now(), "")
		if ev, _ = w.ran(q, "a", check.StateOK, parents); ev.Change != check.ChangeResolve {
			t.Errorf("OK: change %q", ev.Change)
		}
		w.stop()
	})
}

// A parent of which nothing comes holds an incident up for 15 s; so does a
// queue that does not answer.
func TestSilentParentsHoldForAWhile(t *testing.T) {
	t.Parallel()
	for name, fails := range map[string]error{"an old result": nil, "no answer": errors.New("timeout")} {
		synctest.Test(t, func(t *testing.T) {
			q := newFake()
			w := startAround(t, q)
			pass(time.Second)
			q.setNear("router1", check.StateOK, 5, "")
			q.setDowntimes(nil, fails)
			var got []string
			for range 3 {
				ev, _ := w.ran(q, "a", check.StateCrit, `,"parents":["router1"]`)
				got = append(got, ev.Held+string(ev.Change))
				pass(9 * time.Second)
			}
			if text := strings.Join(got, " "); text != "waiting:router1 waiting:router1 open" {
				t.Errorf("%s: %s", name, text)
			}
			w.stop()
		})
	}
}

// A hundred checks behind a router that dies ask for it about once, and those
// that are OK or soft do not ask at all.
func TestParentsAreAskedSeldom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newFake()
		w := startAround(t, q)
		pass(time.Second)
		q.setNear("core", check.StateCrit, q.now(), "")
		q.setNear("router1", check.StateCrit, q.now(), "parent:core")
		for i := range 100 {
			q.put(fmt.Sprint("ok", i), specOf(fmt.Sprint("ok", i), "fine", `,"parents":["router1"]`))
			q.put(fmt.Sprint("soft", i), specOf(fmt.Sprint("soft", i), "crit", `,"attempts":2,"parents":["router1"]`))
		}
		pass(100 * time.Millisecond)
		if q.asked != 0 {
			t.Errorf("asked %d times for checks that open nothing", q.asked)
		}
		for i := range 100 {
			q.put(fmt.Sprint("c", i), specOf(fmt.Sprint("c", i), "crit", `,"parents":["router1"]`))
			pass(time.Millisecond)
		}
		pass(100 * time.Millisecond)
		held := 0
		for _, done := range q.completions() {
			if strings.Contains(done.Event, `"held":"parent:router1"`) {
				held++
			}
		}
		if held != 100 || q.asked != 2 {
			t.Errorf("%d of 100 held, asked %d times, want all and 2: router1, then core", held, q.asked)
		}
		w.stop()
	})
}
