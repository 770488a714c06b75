package scheduler

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// What one that died had in hand is answered within a look at its lock after
// that has run out.
func TestIntakeIsTakenOverInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var took time.Duration
		f := &fakeQueue{
			lock: func(string) (bool, error) { return time.Since(start) >= lockTTL, nil },
			pending: func(after string, _ int) ([]check.IntakeEntry, error) {
				if after != "0-0" || took > 0 {
					return nil, nil
				}
				return []check.IntakeEntry{{EntryID: "1-1"}}, nil
			},
			done: func(vs []check.Verdict) error {
				if took = time.Since(start); len(vs) != 1 || vs[0].Entry != "1-1" {
					t.Errorf("verdicts = %+v", vs)
				}
				return nil
			},
		}
		runFor(t, New(f, Config{}), time.Minute)
		if took < lockTTL || took > lockTTL+lockRetry {
			t.Errorf("taken over after %s, want %s to %s", took, lockTTL, lockTTL+lockRetry)
		}
	})
}

// Requests that a scheduler had in hand when it died are applied by the next
// one, also when that comes after the lock has run out.
func TestRequestsOfOneThatDiedLongAgo(t *testing.T) {
	eachRig(t, func(t *testing.T, r *rig) {
		entry := r.request(set("a", "1h")...)
		if found, err := r.IntakeNew(t.Context(), 9, 0); err != nil || len(found) != 1 {
			t.Fatalf("IntakeNew = %v %v", found, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		ended := make(chan error, 1)
		go func() { ended <- r.scheduler(r.Queue).Run(ctx) }()
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for len(r.verdicts()) == 0 && ctx.Err() == nil {
			<-tick.C
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if vs := r.verdicts(); len(vs) != 1 || vs[0].Entry != entry || vs[0].Verdict != accepted {
			t.Errorf("verdicts = %+v", vs)
		}
	})
}
