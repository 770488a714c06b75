package scheduler

import (
	"context"
	"testing"
	"time"
)

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
