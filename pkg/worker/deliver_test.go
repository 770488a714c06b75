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

// told is what a handler was told.
type told struct {
	check.Delivery
	by string // the worker
	at time.Time
}

func (d told) String() string {
	id := d.Event.Incident.ID
	return fmt.Sprintf("%s %s %s", strings.TrimPrefix(id, "default/"), d.Event.Change, d.Event.Incident.To)
}

// target takes deliveries of any number of workers.
type target struct {
	mu     sync.Mutex // guards the rest
	got    []told     // calls that were answered with no error
	tries  []told
	kept   [][]check.Delivery
	answer func(d check.Delivery) (string, error) // nil: fine, without a ref
	keep   func([]check.Delivery) error
}

// handlerOf is the handler of one worker.
type handlerOf struct {
	check.StreamOnly
	*target
	by string
}

func (h handlerOf) Deliver(ctx context.Context, d check.Delivery) (ref string, err error) {
	h.mu.Lock()
	h.tries = append(h.tries, told{d, h.by, time.Now()})
	answer := h.answer
	h.mu.Unlock()
	if answer != nil {
		ref, err = answer(d)
	}
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err == nil {
		h.mu.Lock()
		h.got = append(h.got, told{d, h.by, time.Now()})
		h.mu.Unlock()
	}
	return ref, err
}

// keeperOf is one that is also a Keeper.
type keeperOf struct{ handlerOf }

func (keeperOf) KeepEvery() time.Duration { return 30 * time.Second }

func (h keeperOf) Keep(_ context.Context, open []check.Delivery) error {
	h.mu.Lock()
	h.kept = append(h.kept, open)
	keep := h.target.keep
	h.mu.Unlock()
	if keep != nil {
		return keep(open)
	}
	return nil
}

// texts are what was told, in order.
func texts(list []told) string {
	var out []string
	for _, d := range list {
		out = append(out, d.String())
	}
	return strings.Join(out, ", ")
}

func (g *target) delivered() []told {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.got)
}

func (g *target) tried() []told {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.tries)
}

func (g *target) answers(f func(d check.Delivery) (string, error)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.answer = f
}

// instance makes the instance of a worker; change may be nil.
func (g *target) instance(by string, change func(*HandlerInstance)) HandlerInstance {
	h := HandlerInstance{Name: "pager", Handler: handlerOf{target: g, by: by}, Stream: true, Default: true}
	if change != nil {
		change(&h)
	}
	return h
}

// worker starts a worker with a seat of its own.
func (o *outboxFake) worker(t *testing.T, name string, handlers ...HandlerInstance) (*started, *seat) {
	t.Helper()
	s := o.seat()
	zones := map[string]bool{}
	for l := range o.lanes {
		zones[l.Zone] = true
	}
	w := startAt(t, s, func(c *Config) {
		c.Name, c.Handlers, c.Deliveries = name, handlers, o.metrics
		c.Zones = nil
		for z := range zones {
			c.Zones = append(c.Zones, z)
		}
	})
	return w, s
}

// startAt is start for any queue.
func startAt(t *testing.T, q Queue, change func(*Config)) *started {
	t.Helper()
	return start(t, nil, func(c *Config) { c.Queue = q; change(c) })
}

// incident is the state of an incident that a test plays.
type incident struct {
	o    *outboxFake
	lane check.Lane
	id   string
	ev   check.Event
}

// incident makes one of a check, not open yet.
func (o *outboxFake) incident(lane check.Lane, name string, n int) *incident {
	id := check.IncidentID(lane.Zone, name, int64(n))
	return &incident{o: o, lane: lane, id: id, ev: check.Event{
		Check:    check.EventCheck{ID: name, Zone: lane.Zone},
		Incident: &check.Incident{ID: id},
	}}
}

// post writes a change and the incident as a completion does, for one handler
// alone when only is set, and gives the entry's id.
func (i *incident) post(change check.Change, state check.State, only ...string) string {
	i.o.mu.Lock()
	defer i.o.mu.Unlock()
	now := time.Now().UnixMilli()
	inc := *i.ev.Incident
	i.ev.Incident = &inc
	i.ev.Previous, i.ev.State, i.ev.Change = i.ev.State, state, change
	i.ev.Planned = now
	if state != check.StateOK {
		inc.To = state
	}
	if change == check.ChangeResolve {
		inc.Resolved = now
	}
	text, _ := json.Marshal(i.ev)
	record, _ := json.Marshal(inc)
	l := i.o.lanes[i.lane]
	l.incidents[i.id] = string(record)
	l.last[i.ev.Check.ID] = string(text)
	i.o.seq++
	e := check.ChangeEntry{SID: fmt.Sprintf("%d-%d", now, i.o.seq), Event: string(text)}
	if len(only) > 0 {
		e.For = only[0]
	}
	l.entries = append(l.entries, e)
	return e.SID
}

// field is what stands beside an incident.
func (i *incident) field(name string) (string, bool) {
	i.o.mu.Lock()
	defer i.o.mu.Unlock()
	v, ok := i.o.lanes[i.lane].incidents[i.id+"/"+name]
	return v, ok
}

// unsettled counts what was read for a handler and not settled.
func (o *outboxFake) unsettled(handler string) (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, l := range o.lanes {
		if g := l.groups[handler]; g != nil {
			n += len(g.pending)
		}
	}
	return n
}

func TestDeliver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, g := newOutbox(lane), &target{}
		old := o.incident(lane, "old", 1)
		old.post(check.ChangeOpen, check.StateCrit)
		g.answers(func(d check.Delivery) (string, error) { return "ref of " + d.Event.Incident.ID, nil })
		w, _ := o.worker(t, "w1", g.instance("w1", nil))
		pass(10 * time.Second)
		a, b := o.incident(lane, "a", 1), o.incident(lane, "b", 1)
		a.post(check.ChangeOpen, check.StateWarn)
		b.post(check.ChangeOpen, check.StateCrit)
		pass(time.Second)
		o.mu.Lock()
		o.lanes[lane].incidents[a.id+"/ack"] = `{"at":5,"by":"kim"}`
		o.lanes[lane].incidents[b.id+"/ack"] = `{"at":5,"until":"2000-01-01T00:00:00Z"}`
		o.mu.Unlock()
		a.post(check.ChangeUpdate, check.StateCrit)
		pass(time.Second)
		a.post(check.ChangeResolve, check.StateOK)
		b.post(check.ChangeResolve, check.StateOK)
		pass(time.Second)
		got := g.delivered()
		slices.SortStableFunc(got, func(x, y told) int { return strings.Compare(x.Event.Check.ID, y.Event.Check.ID) })
		if want := "a/1 open WARN, a/1 update CRIT, a/1 resolve CRIT, b/1 open CRIT, b/1 resolve CRIT"; texts(got) != want {
			t.Fatalf("delivered %s\nwant %s", texts(got), want)
		}
		if got[0].Ref != "" || got[0].Ack != nil || got[0].Attempt != 1 {
			t.Errorf("first = %+v, want no ref and no ack", got[0].Delivery)
		}
		if got[1].Ref != "ref of "+a.id || got[1].Ack == nil || got[1].Ack.By != "kim" || got[2].Ref != got[1].Ref {
			t.Errorf("second = %+v, want the ref that the first gave, and the ack", got[1].Delivery)
		}
		if got[4].Ack != nil {
			t.Errorf("b's resolve has %+v, want no ack: it has ended", got[4].Ack)
		}
		if ref, _ := a.field("pager"); ref != "ref of "+a.id {
			t.Errorf("ref of a = %q", ref)
		}
		if n := o.unsettled("pager"); n != 0 {
			t.Errorf("%d changes are not settled, want none", n)
		}
		w.stop()
		if owner := o.lanes[lane].holds["pager"]; owner.token != "" {
			t.Errorf("after the stop %s delivers, want nobody", owner.token)
		}
	})
}

// TestDeliverApart: on a cluster each lane is looked at by itself.
func TestDeliverApart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		lanes := []check.Lane{{Zone: "default"}, {Zone: "default", Part: 1}}
		o, g := newOutbox(lanes...), &target{}
		s := o.seat()
		w := startAt(t, s, func(c *Config) { c.ReadApart, c.Handlers = true, []HandlerInstance{g.instance("w1", nil)} })
		pass(10 * time.Second)
		for n, l := range lanes {
			i := o.incident(l, fmt.Sprint(n), 1)
			i.post(check.ChangeOpen, check.StateCrit)
			pass(300 * time.Millisecond)
			i.post(check.ChangeResolve, check.StateOK)
		}
		pass(time.Second)
		if got := g.delivered(); len(got) != 4 {
			t.Errorf("delivered %s within a second, want all four", texts(got))
		}
		w.stop()
	})
}

// TestDeliverToPlainHandler: a handler without Deliver gets changes by Process.
func TestDeliverToPlainHandler(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox(lane)
		seen := make(chan string, 9)
		w, _ := o.worker(t, "w1", HandlerInstance{Name: "plain", Stream: true, Default: true, Handler: handlerFunc(func(_ context.Context, ev *check.Event) error {
			seen <- string(ev.Change)
			return nil
		})})
		pass(5 * time.Second)
		a := o.incident(lane, "a", 1)
		a.post(check.ChangeOpen, check.StateCrit)
		a.post(check.ChangeResolve, check.StateOK)
		pass(time.Second)
		w.stop()
		if got := []string{<-seen, <-seen}; got[0] != "open" || got[1] != "resolve" || len(seen) != 0 {
			t.Errorf("Process got %v and %d more", got, len(seen))
		}
	})
}

// TestRetries: the pauses double, within bounds, and the target's wish counts.
func TestRetries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, g := newOutbox(lane), &target{}
		until := 12
		g.answers(func(d check.Delivery) (string, error) {
			switch {
			case d.Attempt < until:
				return "", errors.New("503")
			case d.Attempt == until:
				return "", check.RetryAfter(errors.New("429"), 90*time.Second)
			case d.Attempt == until+1:
				return "", fmt.Errorf("post: %w", check.RetryAfter(errors.New("429"), 90*time.Hour))
			case d.Attempt == until+2:
				return "", check.RetryAfter(errors.New("429"), time.Microsecond)
			}
			return "", nil
		})
		w, _ := o.worker(t, "w1", g.instance("w1", nil))
		pass(5 * time.Second)
		o.incident(lane, "a", 1).post(check.ChangeOpen, check.StateCrit)
		pass(2 * time.Hour)
		tries := g.tried()
		if len(tries) != until+3 || len(g.delivered()) != 1 {
			t.Fatalf("%d attempts, %d delivered, want %d and 1", len(tries), len(g.delivered()), until+3)
		}
		for i := 1; i < len(tries); i++ {
			want, got := min(time.Second<<(i-1), 5*time.Minute), tries[i].at.Sub(tries[i-1].at)
			least, most := want*7/10, want+10*time.Millisecond
			switch i {
			case until:
				least, most = 90*time.Second, 90*time.Second*14/10
			case until + 1:
				least, most = 5*time.Minute, 5*time.Minute*14/10
			case until + 2:
				least, most = time.Second, 2*time.Second
			}
			if got < least || got > most || tries[i].Attempt != i+1 {
				t.Errorf("attempt %d came %s after the last, want %s to %s", tries[i].Attempt, got, least, most)
			}
		}
		w.stop()
	})
}

// TestDeadLetters: what no repetition mends is given up at once, all else when
// it is too old.
func TestDeadLetters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, g, m := newOutbox(lane), &target{}, newDeliveries()
		o.metrics = m
		g.answers(func(d check.Delivery) (string, error) {
			switch d.Event.Check.ID {
			case "bad":
				return "", fmt.Errorf("page: %w", check.Permanent(errors.New("404 no such service")))
			case "panics":
				panic("canary")
			}
			return "", errors.New("503")
		})
		w, _ := o.worker(t, "w1", g.instance("w1", func(h *HandlerInstance) { h.GiveUp = time.Hour }),
			g.instance("w1", func(h *HandlerInstance) { h.Name, h.GiveUp = "forever", -1 }))
		pass(5 * time.Second)
		began := time.Now()
		for _, id := range []string{"bad", "down", "panics"} {
			i := o.incident(lane, id, 1)
			i.post(check.ChangeOpen, check.StateCrit)
			i.post(check.ChangeResolve, check.StateOK)
		}
		o.mu.Lock()
		o.lanes[lane].entries = append(o.lanes[lane].entries, check.ChangeEntry{SID: "9999999999999-1", Event: "junk"})
		o.mu.Unlock()
		pass(85 * time.Minute)
		reasons := map[string]string{}
		o.mu.Lock()
		for _, l := range o.letters {
			var ev check.Event
			if l.Event != "junk" && json.Unmarshal([]byte(l.Event), &ev) != nil {
				t.Errorf("letter %+v has no event", l)
			}
			took := time.UnixMilli(l.At).Sub(began)
			reasons[l.Handler+" "+ev.Check.ID+" "+string(ev.Change)] = fmt.Sprintf("%s %v %v", l.Reason, l.Attempts > 1, took > 50*time.Minute && took < 80*time.Minute)
		}
		o.mu.Unlock()
		want := map[string]string{
			"pager bad open": "page: 404 no such service false false", "pager bad resolve": "page: 404 no such service false false",
			"forever bad open": "page: 404 no such service false false", "forever bad resolve": "page: 404 no such service false false",
			"pager down open": "503 true true", "pager panics open": "panic: canary true true",
			// Tried once: it came to its turn too old already.
			"pager down resolve": "503 false true", "pager panics resolve": "panic: canary false true",
		}
		for k, v := range want {
			if reasons[k] != v {
				t.Errorf("letter %s = %q, want %q", k, reasons[k], v)
			}
		}
		if n := len(reasons); n != len(want)+2 { // the junk, of both
			t.Errorf("%d letters, want %d: %v", n, len(want)+2, reasons)
		}
		if m.of("pager", DeliveryDead) != 7 || m.of("pager", DeliveryDone) != 0 {
			t.Errorf("dead %d, delivered %d", m.of("pager", DeliveryDead), m.of("pager", DeliveryDone))
		}
		w.stop()
	})
}

// deliveries counts what a worker tells its DeliveryMetrics.
type deliveries struct {
	mu     sync.Mutex // guards counts
	counts map[string]int
}

func newDeliveries() *deliveries { return &deliveries{counts: map[string]int{}} }

func (d *deliveries) add(key string, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.counts[key] += n
}

func (d *deliveries) get(key string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.counts[key]
}

func (d *deliveries) of(handler string, how Delivered) int { return d.get(handler + " " + string(how)) }

func (d *deliveries) Delivered(handler string, how Delivered, _ time.Duration) {
	d.add(handler+" "+string(how), 1)
}
func (d *deliveries) Kept(handler string, how Kept, n int) { d.add(handler+" keep "+string(how), n) }
func (d *deliveries) Trimmed(handler, zone string, n int)  { d.add(handler+" trimmed "+zone, n) }
