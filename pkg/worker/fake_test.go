package worker

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/redpoll/redpoll/pkg/check"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var lane = check.Lane{Zone: "default"}

// fake is a queue in memory that leases whatever was put into it. The function
// fields are asked first; an error of theirs is the answer.
type fake struct {
	around

	onRead     func(lanes []check.Lane, count int) error
	onReadEnd  func()
	onLease    func(req check.LeaseRequest) error
	onComplete func(items []check.Completion) error
	onRenew    func(items []check.Holding) error
	onRelease  func(items []check.Holding) error
	onBeat     func(beat check.Heartbeat) error
	onReclaim  func(lane check.Lane) error
	onRaise    func() error

	mu        sync.Mutex // guards the rest
	lanes     []check.Lane
	ready     []check.Entry
	wake      chan struct{}
	specs     map[string]string
	last      map[string]string
	crashes   map[string]int
	planned   map[string]int64
	owner     map[string]string // sid -> token
	reclaimed []check.Lease     // what the next Reclaim gives
	skew      time.Duration     // of the queue's clock

	reads     int
	requests  []check.LeaseRequest
	done      []check.Completion
	calls     []int // sizes of the completions
	renewed   []int
	released  []check.Holding
	readMany  []int // the counts asked for
	readLanes [][]check.Lane
	suspects  int // held now
	most      int // suspects held at once
	left      int // lanes
	raised    []check.Raise
	incidents map[string]string
	dropped   []string
}

func newFake() *fake {
	return &fake{
		lanes: []check.Lane{lane}, wake: make(chan struct{}, 1), specs: map[string]string{}, last: map[string]string{},
		crashes: map[string]int{}, planned: map[string]int64{}, owner: map[string]string{}, incidents: map[string]string{},
	}
}

func (f *fake) now() int64 { return time.Now().Add(f.skew).UnixMilli() }

// canGo makes the queue fail everything while the flag is set.
func (f *fake) canGo() *atomic.Bool {
	gone := &atomic.Bool{}
	answer := func() error {
		if gone.Load() {
			return errAway
		}
		return nil
	}
	f.onRead = func([]check.Lane, int) error { return answer() }
	f.onLease = func(check.LeaseRequest) error { return answer() }
	f.onComplete = func([]check.Completion) error { return answer() }
	f.onRenew = func([]check.Holding) error { return answer() }
	f.onRelease = f.onRenew
	f.onBeat = func(check.Heartbeat) error { return answer() }
	f.onReclaim = func(check.Lane) error { return answer() }
	return gone
}

// put queues a check, planned for now.
func (f *fake) put(id, spec string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.specs[id] = spec
	if _, ok := f.planned[id]; !ok {
		f.planned[id] = f.now()
	}
	f.ready = append(f.ready, check.Entry{Lane: lane, SID: "1-" + id, ID: id, Planned: f.planned[id]})
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

func (f *fake) Lanes(context.Context, ...string) ([]check.Lane, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.lanes), nil
}

func (f *fake) Now(context.Context) (int64, error) { return f.now(), nil }

func (f *fake) Raise(_ context.Context, _ check.Lane, r check.Raise) (check.AdoptOutcome, error) {
	if f.onRaise != nil {
		if err := f.onRaise(); err != nil {
			return "", err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch have := f.incidents[r.ID]; {
	case have == r.Incident:
		return check.AdoptUnchanged, nil
	case have != "" && have != r.Was:
		return check.AdoptConflict, nil
	}
	f.incidents[r.ID] = r.Incident
	f.raised = append(f.raised, r)
	return check.AdoptChanged, nil
}

func (f *fake) LeaveLane(context.Context, check.Lane, string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left++
	return nil
}

func (f *fake) DropWorkers(_ context.Context, names ...string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dropped = append(f.dropped, names...)
	return nil
}

func (f *fake) Beat(_ context.Context, beat check.Heartbeat) error {
	if f.onBeat != nil {
		return f.onBeat(beat)
	}
	return nil
}

func (f *fake) Read(_ context.Context, _ string, lanes []check.Lane, count int, block time.Duration) ([]check.Entry, error) {
	if f.onRead != nil {
		if err := f.onRead(lanes, count); err != nil {
			return nil, err
		}
	}
	if f.onReadEnd != nil {
		defer f.onReadEnd()
	}
	if got := f.read(lanes, count); len(got) > 0 {
		return got, nil
	}
	select {
	case <-f.wake:
	case <-time.After(block):
	}
	return f.read(lanes, count), nil
}

func (f *fake) read(lanes []check.Lane, count int) (got []check.Entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads++
	f.readMany = append(f.readMany, count)
	f.readLanes = append(f.readLanes, lanes)
	left := map[check.Lane]int{}
	for _, l := range lanes {
		left[l] = count
	}
	f.ready = slices.DeleteFunc(f.ready, func(e check.Entry) bool {
		if left[e.Lane] == 0 {
			return false
		}
		left[e.Lane]--
		got = append(got, e)
		return true
	})
	return got
}

func (f *fake) Lease(_ context.Context, req check.LeaseRequest) (leases []check.Lease, later []check.Entry, err error) {
	if f.onLease != nil {
		if err := f.onLease(req); err != nil {
			return nil, nil, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, req)
	for i, e := range req.Entries {
		if f.crashes[e.ID] >= 2 {
			if req.Suspects == 0 {
				later = append(later, e)
				continue
			}
			req.Suspects--
			f.suspects++
			f.most = max(f.most, f.suspects)
		}
		l := check.Lease{Entry: e, Token: req.Token, Rev: "1", Spec: f.specs[e.ID], Last: f.last[e.ID],
			Now: f.now(), Crashes: f.crashes[e.ID]}
		if req.Revs != nil && req.Revs[i] == "1" {
			l.Spec = ""
		}
		f.owner[e.SID] = req.Token
		leases = append(leases, l)
	}
	return leases, later, nil
}

func (f *fake) Reclaim(_ context.Context, req check.LeaseRequest, limit int) ([]check.Lease, []check.Entry, error) {
	if f.onReclaim != nil {
		if err := f.onReclaim(req.Lane); err != nil {
			return nil, nil, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var got []check.Lease
	var later []check.Entry
	for len(f.reclaimed) > 0 && len(got) < limit {
		l := f.reclaimed[0]
		f.reclaimed = f.reclaimed[1:]
		if l.Crashes >= 2 {
			if req.Suspects == 0 {
				f.crashes[l.ID], f.specs[l.ID] = l.Crashes, l.Spec
				later = append(later, l.Entry)
				continue
			}
			req.Suspects--
			f.suspects++
			f.most = max(f.most, f.suspects)
		}
		l.Token, l.Reclaimed, l.Now = req.Token, true, f.now()
		f.owner[l.SID] = req.Token
		got = append(got, l)
	}
	return got, later, nil
}

func (f *fake) Renew(_ context.Context, _ check.Lane, _ time.Duration, items []check.Holding) ([]check.Outcome, error) {
	if f.onRenew != nil {
		if err := f.onRenew(items); err != nil {
			return nil, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.renewed = append(f.renewed, len(items))
	return f.outcomes(items, nil), nil
}

func (f *fake) Release(_ context.Context, _ check.Lane, items []check.Holding) ([]check.Outcome, error) {
	if f.onRelease != nil {
		if err := f.onRelease(items); err != nil {
			return nil, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.outcomes(items, func(i int) { f.released = append(f.released, items[i]) }), nil
}

func (f *fake) Complete(_ context.Context, _ check.Lane, items []check.Completion) ([]check.Outcome, error) {
	if f.onComplete != nil {
		if err := f.onComplete(items); err != nil {
			return nil, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, len(items))
	holdings := make([]check.Holding, len(items))
	for i, c := range items {
		holdings[i] = check.Holding{Entry: c.Entry, Token: c.Token}
	}
	return f.outcomes(holdings, func(i int) {
		c := items[i]
		c.Event = cmp.Or(c.Event, c.Last) // as the queue takes it
		f.done = append(f.done, c)
		delete(f.owner, c.SID)
		if c.Last != "" {
			f.last[c.ID] = c.Last
		}
		if f.crashes[c.ID] >= 2 {
			f.suspects--
		}
	}), nil
}

// outcomes answers items by their tokens. f.mu is held.
func (f *fake) outcomes(items []check.Holding, done func(i int)) []check.Outcome {
	out := make([]check.Outcome, len(items))
	for i, it := range items {
		if it.Token != f.owner[it.SID] {
			out[i] = check.OutcomeStale
		} else if done != nil {
			done(i)
		}
	}
	return out
}

// steal makes another worker the owner of a run.
func (f *fake) steal(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.owner["1-"+id] = "other/x"
}

// completions gives what was completed so far.
func (f *fake) completions() []check.Completion {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.done)
}

func (f *fake) readCount() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reads
}

// result gives the last record of the only completion of a check.
func (f *fake) result(t *testing.T, id string) (last check.Last, ev check.Event, done check.Completion) {
	t.Helper()
	n := 0
	for _, c := range f.completions() {
		if c.ID != id {
			continue
		}
		n++
		done = c
		if err := errors.Join(json.Unmarshal([]byte(c.Last), &last), json.Unmarshal([]byte(c.Event), &ev)); err != nil {
			t.Fatalf("records of %s: %v", id, err)
		}
	}
	if n != 1 {
		t.Fatalf("%d completions of %s, want 1", n, id)
	}
	return last, ev, done
}

// counter counts what a worker tells its Metrics.
type counter struct {
	mu     sync.Mutex // guards the rest
	late   []time.Duration
	states map[string]int
	failed map[string]int
	counts map[Counter]int
}

func newCounter() *counter {
	return &counter{states: map[string]int{}, failed: map[string]int{}, counts: map[Counter]int{}}
}

func (c *counter) Started(late time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.late = append(c.late, late)
}

func (c *counter) Finished(command string, state check.State, _ time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.states[command+" "+state.String()]++
}

func (c *counter) HandlerFailed(h string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed[h]++
}

func (c *counter) Count(what Counter, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[what] += n
}

func (c *counter) count(what Counter) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts[what]
}
