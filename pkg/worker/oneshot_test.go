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
