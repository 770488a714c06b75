package worker

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// A one-shot whose incident is held runs again, and opens it when nothing holds
// it any more; one that is suppressed ends.
func TestHeldOneShot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newFake()
		now := time.Now().UTC()
		when := func(d time.Duration) string { return now.Add(d).Format(time.RFC3339) }
		q.setDowntimes(map[string]string{"d": `{"id":"d","checks":["quiet"],"from":"` + when(-time.Hour) + `","until":"` + when(20*time.Minute) + `"}`}, nil)
		q.setNear("gw", check.StateCrit, now.Add(time.Second).UnixMilli(), "")
		one := func(id, more string) { q.put(id, `{"id":"`+id+`","command":"crit","at":"`+when(0)+`"`+more+`}`) }
		one("quiet", "")
		one("child", `,"parents":["gw"]`)
		one("mute", `,"suppress_incidents":true`)
		w := start(t, q, nil)
		pass(5 * time.Second)
		for id, want := range map[string]time.Duration{"quiet": 20 * time.Minute, "child": time.Minute, "mute": 0} {
			last, ev, done := q.result(t, id)
			wait := time.Duration(0)
			if done.Next != 0 {
				wait = time.UnixMilli(done.Next).Sub(now)
			}
			if ev.Change != "" || last.Held == "" || wait < want || wait > want+5*time.Second || want == 0 && wait != 0 {
				t.Errorf("%s: change %q, held %q, next after %s; want it held and next after %s", id, ev.Change, last.Held, wait, want)
			}
		}
		pass(20 * time.Minute)
		q.setNear("gw", check.StateOK, time.Now().UnixMilli(), "")
		pass(2 * time.Second)
		for _, id := range []string{"quiet", "child"} {
			q.mu.Lock()
			q.planned[id] = q.now()
			q.mu.Unlock()
			one(id, map[string]string{"child": `,"parents":["gw"]`}[id])
		}
		pass(5 * time.Second)
		for _, id := range []string{"quiet", "child"} {
			var last check.Completion
			for _, c := range q.completions() {
				if c.ID == id {
					last = c
				}
			}
			if last.Change == "" || last.Next != 0 {
				t.Errorf("%s, when nothing holds it: change %q, next %d, want an incident and no next run", id, last.Change, last.Next)
			}
		}
		w.stop()
	})
}

// A one-shot that is put away runs again all the same while something keeps its
// incident from opening, and not sooner than any other that is put away.
func TestOneShotPutAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newFake()
		now := time.Now().UTC()
		when := func(d time.Duration) string { return now.Add(d).Format(time.RFC3339) }
		q.setDowntimes(map[string]string{"d": `{"id":"d","checks":["quiet"],"from":"` + when(-time.Hour) + `","until":"` + when(20*time.Minute) + `"}`}, nil)
		q.setNear("gw", check.StateCrit, now.Add(time.Second).UnixMilli(), "")
		w := start(t, q, nil)
		for id, more := range map[string]string{
			"quiet": "", "child": `,"parents":["gw"]`, "soft": `,"attempts":2`, "mute": `,"suppress_incidents":true`, "plain": "",
		} {
			q.mu.Lock()
			q.reclaimed = []check.Lease{{ // one at a time: a worker holds one suspect
				Entry: check.Entry{Lane: lane, SID: "1-" + id, ID: id, Planned: q.now()}, Rev: "1", Crashes: 3,
				Spec: `{"id":"` + id + `","command":"fine","at":"` + when(0) + `"` + more + `}`,
			}}
			q.mu.Unlock()
			pass(10 * time.Second)
		}
		w.stop()
		for id, want := range map[string]time.Duration{"quiet": 20 * time.Minute, "child": 5 * time.Minute, "soft": 5 * time.Minute, "mute": 0, "plain": 0} {
			last, ev, done := q.result(t, id)
			wait := time.Duration(0)
			if done.Next != 0 {
				wait = time.UnixMilli(done.Next).Sub(time.UnixMilli(last.Finished))
			}
			if last.Reason != check.ReasonWorkerLost || !done.KeepCrashes || (ev.Change == check.ChangeOpen) != (id == "plain") || (wait-want).Abs() > time.Minute {
				t.Errorf("%s: %s, change %q, held %q, next after %s; want an incident of plain alone, and next after %s", id, last.Reason, ev.Change, last.Held, wait, want)
			}
		}
	})
}
