package system

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// Runs whose leases run out while Redis is away are taken over, again and again,
// and no check is blamed for it: none is put away as one that kills its workers.
func TestOutagesCountNoCrash(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	_, ws := f.up(1, 2)
	const n = 20
	f.target.holdAll(25 * time.Second) // no run ends meanwhile
	var add []string
	for i := range n {
		// No slot comes after the one, so that none is left out for being late.
		line := f.addLine(fmt.Sprintf("c%02d", i), "1h")
		add = append(add, strings.Replace(line, "every 1h", "at 2020-01-01T00:00:00Z", 1))
	}
	f.lines(add...)
	f.eventually(15*time.Second, func() error {
		if got := f.target.waiting(); got != n {
			return fmt.Errorf("%d checks run, want %d", got, n)
		}
		return nil
	})
	for round := range 3 {
		stopped, other := ws[round%2], ws[1-round%2]
		stopped.signal(syscall.SIGSTOP) // it cannot renew its leases in time
		f.redis.Kill()
		pass(t, lease+500*time.Millisecond)
		if err := f.redis.Run(t); err != nil {
			t.Fatal(err)
		}
		f.eventually(2*recovery, func() error { return f.heldBy(other.Name) })
		stopped.signal(syscall.SIGCONT)
	}
	f.target.holdAll(0)
	f.eventually(40*time.Second, func() error {
		f.readResults()
		for i := range n {
			id := fmt.Sprintf("c%02d", i)
			if len(f.results[id]) == 0 {
				record := f.client.HGet(t.Context(), key("runs"), id).Val()
				return fmt.Errorf("%s has no result; its record is %q, it came at %v", id, record, f.target.of(id))
			}
		}
		return nil
	})
	for id, results := range f.results {
		if len(results) != 1 || results[0].State != check.StateOK {
			t.Errorf("results of %s = %+v, want one that is OK", id, results)
		}
	}
	f.verify()
}

// heldBy gives an error unless a worker holds all checks that are leased, and
// says so of one whose crashes were counted.
func (f *fleet) heldBy(worker string) error {
	records, err := f.client.HGetAll(f.Context(), key("runs")).Result()
	if err != nil {
		return err
	}
	for id, text := range records {
		r, err := redisqueue.ParseRecord(text)
		if err != nil {
			f.Fatal(err)
		}
		if r.Crashes > 0 {
			f.Fatalf("the record of %s is %q, want no crash", id, text)
		}
		if r.State == "leased" && (!strings.HasPrefix(r.Owner, worker+"/") || r.Expiry < time.Now().UnixMilli()) {
			return fmt.Errorf("the record of %s is %q, want it held by %s", id, text, worker)
		}
	}
	return nil
}
