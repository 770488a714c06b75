package crash_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// watch looks at all lanes again and again while checks move. Each look is one
// moment. It knows what has to be there, and keeps the results, since lanes
// that are given up lose theirs.
type watch struct {
	s *scene

	mu      *sync.Mutex
	zones   map[string]string        // check -> the zone that it was asked into
	there   map[string]bool          // checks that were seen; from then on they have to be somewhere
	results map[string]map[int64]int // check -> planned time -> results
	last    map[check.Lane]string    // the newest result that was read
	faults  map[string]bool          // what was told already
	looks   int
	// stood is where each check could run when it was seen last, and as what.
	stood map[string]stand
	// beside are the fields of open incidents that have to be where their checks are,
	// and lacking those that the latest look missed.
	beside  map[string][]string
	lacking map[string]bool
	// ways are the records of each check as they were seen, one line for each change.
	ways map[string][]string
}

// glance is what stands in a lane at a moment.
type glance struct {
	specs, runs, last, incidents map[string]string
	due                          map[string]float64
	ready                        []redis.XMessage
}

// frozen gives the records of checks that are on their way from a lane.
func (l *glance) frozen() map[string]redisqueue.Record {
	out := map[string]redisqueue.Record{}
	for id, text := range l.runs {
		if rec, err := redisqueue.ParseRecord(text); err == nil && rec.State == "frozen" {
			out[id] = rec
		}
	}
	return out
}

func newWatch(s *scene) watch {
	return watch{
		s: s, mu: &sync.Mutex{}, zones: map[string]string{}, there: map[string]bool{},
		results: map[string]map[int64]int{}, last: map[check.Lane]string{}, faults: map[string]bool{},
		stood: map[string]stand{}, beside: map[string][]string{}, lacking: map[string]bool{},
		ways: map[string][]string{},
	}
}

// expect says that a check is asked for, or asked into another zone.
func (w *watch) expect(id, zone string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.zones[id] = zone
}

// forget says that a check is asked to go.
func (w *watch) forget(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.zones, id)
	delete(w.there, id)
	delete(w.beside, id)
}

func (w *watch) zone(id string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.zones[id]
}

// stopped names a check that has no result of a time since then.
func (w *watch) stopped(since int64) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id := range w.zones {
		newest := int64(0)
		for planned := range w.results[id] {
			newest = max(newest, planned)
		}
		if newest < since {
			return id + " does not run any more"
		}
	}
	return ""
}

// start looks until the function that it gives is called.
func (w *watch) start() (end func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(150 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				w.judge(w.look())
			}
		}
	})
	return func() {
		close(done)
		wg.Wait()
	}
}

// look reads all lanes in one moment, and what results are new.
func (w *watch) look() map[check.Lane]*glance {
	ctx, q := w.s.t.Context(), w.s.q
	w.mu.Lock()
	defer w.mu.Unlock()
	pipe := q.Client().TxPipeline()
	hashes := map[check.Lane][]*redis.MapStringStringCmd{}
	due, ready, results := map[check.Lane]*redis.ZSliceCmd{}, map[check.Lane]*redis.XMessageSliceCmd{}, map[check.Lane]*redis.XMessageSliceCmd{}
	for _, l := range roads {
		for _, key := range []string{q.KeySpecs(l), q.KeyRuns(l), q.KeyLast(l), q.KeyIncidents(l)} {
			hashes[l] = append(hashes[l], pipe.HGetAll(ctx, key))
		}
		due[l], ready[l] = pipe.ZRangeWithScores(ctx, q.KeyDue(l), 0, -1), pipe.XRange(ctx, q.KeyReady(l), "-", "+")
		from := "-"
		if w.last[l] != "" {
			from = "(" + w.last[l]
		}
		results[l] = pipe.XRange(ctx, q.KeyResults(l), from, "+")
	}
	if _, err := pipe.Exec(ctx); err != nil {
		w.s.t.Errorf("look at all lanes: %v", err)
		return nil
	}
	out := map[check.Lane]*glance{}
	for _, l := range roads {
		h := hashes[l]
		out[l] = &glance{specs: h[0].Val(), runs: h[1].Val(), last: h[2].Val(), incidents: h[3].Val(), due: map[string]float64{}, ready: ready[l].Val()}
		for _, z := range due[l].Val() {
			out[l].due[z.Member.(string)] = z.Score
		}
		w.keep(l, results[l].Val())
	}
	return out
}

// keep counts results.
func (w *watch) keep(lane check.Lane, entries []redis.XMessage) {
	for _, e := range entries {
		w.last[lane] = e.ID
		var ev check.Event
		text, _ := e.Values["event"].(string)
		if err := json.Unmarshal([]byte(text), &ev); err != nil {
			w.s.t.Errorf("result %s of %s: %v", e.ID, lane, err)
			continue
		}
		if w.results[ev.Check.ID] == nil {
			w.results[ev.Check.ID] = map[int64]int{}
		}
		w.results[ev.Check.ID][ev.Planned]++
	}
}

// fault tells of something once.
func (w *watch) fault(id, kind, format string, args ...any) {
	if !w.faults[kind+id] {
		w.faults[kind+id] = true
		w.s.t.Errorf("%s %s: %s", id, kind, fmt.Sprintf(format, args...))
		w.tell(id)
	}
}

// judge finds what may not be at any moment.
func (w *watch) judge(all map[check.Lane]*glance) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if all == nil {
		return
	}
	w.looks++
	w.follow(all)
	here, away := map[string][]check.Lane{}, map[string][]check.Lane{}
	for lane, l := range all {
		for id, text := range l.runs {
			rec, err := redisqueue.ParseRecord(text)
			_, due := l.due[id]
			switch {
			case err != nil:
				w.fault(id, "has junk for a record", "%q in %s", text, lane)
				continue
			case rec.State == "frozen":
				away[id] = append(away[id], lane)
			case rec.State != "removed" && rec.State != "moved" && rec.State != "expected":
				here[id] = append(here[id], lane)
			}
			if due != (rec.State == "waiting") {
				w.fault(id, "is due or not, wrongly", "%q in %s, due at %.0f", text, lane, l.due[id])
			}
		}
		for id := range l.due {
			if l.runs[id] == "" {
				w.fault(id, "is due without a record", "in %s", lane)
			}
		}
	}
	for id, lanes := range here {
		if len(lanes) > 1 {
			w.fault(id, "can run twice", "in %v", lanes)
		}
		if w.zones[id] != "" && !strings.HasPrefix(id, "once") {
			w.there[id] = true
		}
	}
	w.judgeWay(all, here)
	w.judgeIncidents(all, here, away)
	for id := range w.there {
		if len(here[id])+len(away[id]) == 0 {
			w.fault(id, "is gone", "it was in some lane before")
		}
	}
}

// follow notes how checks stand, if they stand otherwise than before.
func (w *watch) follow(all map[check.Lane]*glance) {
	lines := map[string]string{}
	for _, lane := range roads {
		for id, text := range all[lane].runs {
			rec, _ := redisqueue.ParseRecord(text)
			lines[id] += fmt.Sprintf("  %s %s %s", lane, rec.State, rec.Rev)
			if rec.Way.Kind != 0 {
				lines[id] += " " + rec.Way.Lane.String()
			}
		}
		for field := range all[lane].incidents {
			if words := strings.Split(field, "/"); len(words) == 3 {
				lines[words[1]] += "  " + lane.String() + " incident"
				if isResolved(all[lane].incidents[field]) {
					lines[words[1]] += " resolved"
				}
			}
		}
	}
	for id, line := range lines {
		if ways := w.ways[id]; len(ways) == 0 || !strings.HasSuffix(ways[len(ways)-1], line) {
			w.ways[id] = append(ways, time.Now().Format("15:04:05.000")+line)
		}
	}
}

func isResolved(text string) bool {
	var inc check.Incident
	return json.Unmarshal([]byte(text), &inc) == nil && inc.Resolved != 0
}

// tell shows the way of a check.
func (w *watch) tell(id string) { w.s.t.Logf("%s:\n%s", id, strings.Join(w.ways[id], "\n")) }
