package worker

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// cable is an uplink that can be cut: the command and the self-test go over it.
type cable struct{ cut atomic.Bool }

func (c *cable) test(context.Context) error {
	if c.cut.Load() {
		return errors.New("network is unreachable")
	}
	return nil
}

// command takes a second; its target is fine as long as the cable is.
func (c *cable) command() check.CommandFactory {
	return command(func(ctx context.Context, run check.Run) (check.Result, error) {
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return check.Result{}, ctx.Err()
		}
		if c.cut.Load() {
			return check.Result{State: check.StateCrit, Reason: "UNREACHABLE"}, nil
		}
		return fine(ctx, run)
	})
}

// startOn starts a worker whose uplink is the cable.
func startOn(t *testing.T, q *fake, c *cable) *started {
	return start(t, q, func(cfg *Config) {
		cfg.Commands["far"] = c.command()
		cfg.Uplinks = []UplinkTest{{Target: "gateway", Test: c.test}}
	})
}

// TestLostUplinkReportsNoTarget: nothing is said about targets that were
// measured without an uplink; the checks go back, and one incident is about the
// worker.
func TestLostUplinkReportsNoTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, c := newFake(), &cable{}
		beats := make(chan check.Heartbeat, 100)
		q.onBeat = func(b check.Heartbeat) error {
			beats <- b
			return nil
		}
		s := startOn(t, q, c)
		q.put("before", specOf("before", "far", ""))
		pass(1500 * time.Millisecond)
		q.put("during", specOf("during", "far", ""))
		pass(500 * time.Millisecond)
		c.cut.Store(true)
		pass(3 * time.Second)
		if last, _, _ := q.result(t, "before"); last.State != check.StateOK {
			t.Errorf("before the loss: %v, want OK", last.State)
		}
		if n := len(q.completions()); n != 1 {
			t.Errorf("%d results, want only the one from before", n)
		}
		if len(q.released) != 1 || q.released[0].ID != "during" {
			t.Errorf("handed back: %+v, want the run from during the loss", q.released)
		}
		reads := q.readCount()
		pass(5 * time.Second)
		if q.readCount() > reads+1 {
			t.Errorf("%d reads while the uplink is down", q.readCount()-reads)
		}
		if up := s.Uplinks(); up["default"] {
			t.Error("Uplinks() says that it is up")
		}
		wantRaised(t, q, 1)
		c.cut.Store(false)
		pass(5 * time.Second)
		q.put("after", specOf("after", "far", ""))
		pass(2 * time.Second)
		if last, _, _ := q.result(t, "after"); last.State != check.StateOK {
			t.Errorf("after the loss: %v, want OK", last.State)
		}
		wantRaised(t, q, 2)
		s.stop()
		told := false
		for len(beats) > 0 {
			told = len((<-beats).Incidents) == 1 || told
		}
		if !told {
			t.Error("no heartbeat names the incident")
		}
		if len(q.raised) != 2 {
			t.Errorf("%d changes of incidents at the end, want 2", len(q.raised))
		}
	})
}

// wantRaised looks at the incidents about the worker: opened, then resolved.
func wantRaised(t *testing.T, q *fake, n int) {
	t.Helper()
	if len(q.raised) != n {
		t.Fatalf("%d changes of incidents, want %d", len(q.raised), n)
	}
	for i, want := range []check.Change{check.ChangeOpen, check.ChangeResolve}[:n] {
		var ev check.Event
		r := q.raised[i]
		if err := json.Unmarshal([]byte(r.Change), &ev); err != nil {
			t.Fatal(err)
		}
		if ev.Change != want || ev.Check.ID != "worker:w1" || ev.Incident.ID != r.ID || ev.Incident.Reason != ReasonUplinkLost {
			t.Errorf("change %d: %s", i, r.Change)
		}
		if i == 1 && (r.Was != q.raised[0].Incident || r.ID != q.raised[0].ID || ev.Incident.Resolved == 0) {
			t.Errorf("resolves another one than was opened: %+v", r)
		}
	}
}

// TestLostUplinkEndsWaiting: runs that wait for their target go back too.
func TestLostUplinkEndsWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, c := newFake(), &cable{}
		s := start(t, q, func(cfg *Config) {
			far := c.command()
			cfg.Commands["far"] = func(params json.RawMessage) (check.Command, error) {
				run, err := far(params)
				return device{run.Run, "switch"}, err
			}
			cfg.Uplinks, cfg.PerTarget = []UplinkTest{{Target: "gateway", Test: c.test}}, 1
		})
		for _, id := range []string{"a", "b", "c"} {
			q.put(id, specOf(id, "far", ""))
		}
		pass(300 * time.Millisecond)
		c.cut.Store(true)
		pass(3 * time.Second)
		if len(q.released) != 3 || len(q.completions()) != 0 {
			t.Errorf("%d handed back, %d results, want 3, 0", len(q.released), len(q.completions()))
		}
		s.stop()
	})
}

// TestRealTroubleIsReported: with an uplink that works a target that is down is
// reported, at once.
func TestRealTroubleIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, c := newFake(), &cable{}
		s := startOn(t, q, c)
		q.put("down", specOf("down", "crit", ""))
		pass(200 * time.Millisecond)
		if last, _, _ := q.result(t, "down"); last.State != check.StateCrit || last.Incident == nil {
			t.Errorf("result %+v, want CRIT with an incident", last)
		}
		s.stop()
		if len(q.raised) != 0 {
			t.Errorf("raised %v, want nothing", q.raised)
		}
	})
}

// TestUplinkIncidentEndsWithTheWorker, and waits for a queue that is away.
func TestUplinkIncidentEndsWithTheWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, c := newFake(), &cable{}
		var away atomic.Bool
		away.Store(true)
		q.onRaise = func() error {
			if away.Load() {
				return errAway
			}
			return nil
		}
		s := startOn(t, q, c)
		c.cut.Store(true)
		pass(5 * time.Second)
		away.Store(false)
		pass(5 * time.Second)
		wantRaised(t, q, 1)
		s.stop()
		wantRaised(t, q, 2)
	})
}

// TestUplinkSecondTarget: one target that answers is enough, one lost round is
// none.
func TestUplinkSecondTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var first, second cable
		u := newUplinks([]string{"fra", "ber"}, []UplinkTest{
			{Zone: "fra", Target: "a", Test: first.test}, {Target: "b", Test: second.test},
		})
		if len(u["fra"].tests) != 2 || len(u["ber"].tests) != 1 {
			t.Fatalf("tests: %d, %d, want 2, 1", len(u["fra"].tests), len(u["ber"].tests))
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { u["fra"].watch(ctx, func() {}) })
		first.cut.Store(true)
		pass(3 * time.Second)
		if u["fra"].isDown() {
			t.Error("down with one target that answers")
		}
		second.cut.Store(true)
		pass(3 * time.Second)
		if _, _, why := u["fra"].state(); !u["fra"].isDown() || !strings.Contains(why.Error(), "a: network") || !strings.Contains(why.Error(), "b: network") {
			t.Errorf("down: %v, %v, want both reasons", u["fra"].isDown(), why)
		}
		began := time.Now()
		second.cut.Store(false)
		pass(4 * time.Second)
		if u["fra"].isDown() || u["fra"].believe(ctx, began, time.Now()) {
			t.Error("a run from before the uplink came back is believed")
		}
		if !u["fra"].believe(ctx, time.Now(), time.Now()) {
			t.Error("a run from after it is not")
		}
		cancel()
		wg.Wait()
	})
}
