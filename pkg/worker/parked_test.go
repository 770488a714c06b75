package worker

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// The answer to the lease of a suspect is lost. The worker may hold it without
// knowing: it asks again with the same token. With another one it would stand
// in its own way until the lease is over, and count as one more worker lost.
func TestParkedSuspectKeepsItsToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newFake()
		for _, id := range []string{"first", "parked"} {
			q.crashes[id] = 2
			q.put(id, specOf(id, "second", ""))
		}
		var tokens []string
		q.onLease = func(req check.LeaseRequest) error {
			if len(req.Entries) != 1 || req.Suspects != 1 || req.Entries[0].ID != "parked" {
				return nil
			}
			if tokens = append(tokens, req.Token); len(tokens) <= 2 {
				return errAway
			}
			return nil
		}
		w := start(t, q, nil)
		pass(10 * time.Second)
		w.stop()
		if len(tokens) != 3 || tokens[0] != tokens[1] || tokens[1] != tokens[2] {
			t.Errorf("tokens %v, want one, three times", tokens)
		}
		if n := len(q.completions()); n != 2 {
			t.Errorf("%d completions, want both", n)
		}
	})
}

// One that is asked for when the worker stops is handed back, whether the
// queue had leased it or not.
func TestParkedSuspectIsHandedBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newFake()
		for _, id := range []string{"first", "parked"} {
			q.crashes[id] = 2
			q.put(id, specOf(id, "second", ""))
		}
		var token string
		q.onLease = func(req check.LeaseRequest) error {
			if req.Suspects == 1 && req.Entries[0].ID == "parked" {
				token = req.Token
				return errAway
			}
			return nil
		}
		var tried []check.Holding
		q.onRelease = func(items []check.Holding) error {
			tried = append(tried, items...)
			return nil
		}
		w := start(t, q, nil)
		pass(10 * time.Second)
		w.stop()
		if len(tried) != 2 || tried[0].Token != token || tried[1].Token != "" || tried[0].ID != "parked" {
			t.Errorf("handed back %+v, want parked with token %s and without one", tried, token)
		}
	})
}
