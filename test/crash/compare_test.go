package crash_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// beside lets a worker or a scheduler that does not crash work while f does.
func (s *scene) beside(role string, f func()) {
	ctx, cancel := context.WithCancel(s.t.Context())
	client := redis.NewClient(&redis.Options{Addr: s.server.Addr(), DisableIdentity: true})
	defer client.Close()
	var wg sync.WaitGroup
	wg.Go(func() {
		run := map[string]func() error{
			roleScheduler: func() error { return runScheduler(ctx, client, nil) },
			roleWorker:    func() error { return runWorker(ctx, client, nil, s.p.lease()) },
			roleTravel:    func() error { return runTraveller(ctx, client) },
		}[role]
		if err := run(); err != nil {
			s.t.Errorf("%s = %v", role, err)
		}
	})
	defer wg.Wait()
	defer cancel()
	f()
}

// cleanUp has a scheduler and a worker work until wait is over.
func (s *scene) cleanUp(wait func()) {
	now, err := s.q.Now(s.t.Context())
	s.must(err)
	s.from = now
	s.beside(roleScheduler, func() { s.beside(roleWorker, wait) })
}

// eventually waits for what the processes bring about.
func (s *scene) eventually(what func() string) {
	s.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	late := time.After(90 * time.Second)
	for left := what(); left != ""; left = what() {
		select {
		case <-tick.C:
		case <-late:
			s.t.Fatalf("after 90 s: %s", left)
		}
	}
}

// waitResults waits until every one-shot has its result and the other checks
// have run anew.
func (s *scene) waitResults() {
	s.eventually(func() string {
		results := s.results()
		for id := range s.asked {
			if len(results[id]) == 0 {
				return id + " has no result"
			}
		}
		for _, id := range going {
			newest := int64(0)
			for planned := range results[id] {
				newest = max(newest, planned)
			}
			if newest < s.from {
				return id + " does not run any more"
			}
		}
		return ""
	})
}

// waitRemoved waits until every one-shot has left, and the intake is empty.
func (s *scene) waitRemoved() {
	s.eventually(func() string {
		specs, err := s.q.Client().HKeys(s.t.Context(), s.q.KeySpecs(lane)).Result()
		s.must(err)
		for _, id := range specs {
			if strings.HasPrefix(id, "once") {
				return id + " is still in specs"
			}
		}
		if n := s.q.Client().XLen(s.t.Context(), s.q.KeyIntake()).Val(); n > 0 {
			return "the intake is not empty"
		}
		return ""
	})
}

// results counts the results by check and planned time.
func (s *scene) results() map[string]map[int64]int {
	s.t.Helper()
	entries, err := s.q.Client().XRange(s.t.Context(), s.q.KeyResults(lane), "-", "+").Result()
	s.must(err)
	out := map[string]map[int64]int{}
	for _, e := range entries {
		var ev check.Event
		text, _ := e.Values["event"].(string)
		s.must(json.Unmarshal([]byte(text), &ev))
		if out[ev.Check.ID] == nil {
			out[ev.Check.ID] = map[int64]int{}
		}
		out[ev.Check.ID][ev.Planned]++
	}
	return out
}

// compare holds everything that happened against what may have.
func (s *scene) compare() {
	ctx := s.t.Context()
	verdicts := map[string]bool{}
	log, err := s.q.Client().XRange(ctx, s.q.KeyIntakeLog(), "-", "+").Result()
	s.must(err)
	for _, e := range log {
		if e.Values["verdict"] == check.VerdictAccepted {
			verdicts[e.Values["entry"].(string)] = true
		}
	}
	for id, entry := range s.asked {
		if !verdicts[entry] {
			s.t.Errorf("the request for %s has no verdict", id)
		}
	}
	s.compareResults(s.results(), s.compareJournal())
	s.comparePlaces()
}

// compareResults: each planned time that ran has one result in the end, and each
// result is of a run; one-shots run for one planned time. What was taken over too
// late was left out.
func (s *scene) compareResults(results map[string]map[int64]int, ran map[string]bool) {
	for id, planned := range results {
		for at, n := range planned {
			run := fmt.Sprintf("%s/%d", id, at)
			if n != 1 || !ran[run] {
				s.t.Errorf("%s has %d results, want one of a run", run, n)
			}
			delete(ran, run)
		}
		if strings.HasPrefix(id, "once") && len(planned) != 1 {
			s.t.Errorf("%s ran for %d planned times, want one", id, len(planned))
		}
	}
	for run := range ran {
		id, text, _ := strings.Cut(run, "/")
		at, err := strconv.ParseInt(text, 10, 64)
		s.must(err)
		if !slices.Contains(doomed, id) && !s.leftOut(results[id], at) { // a doomed one was removed while it ran
			s.t.Errorf("%s has no result", run)
		}
	}
}

// leftOut says whether a run was taken over more than 10 s after its time, when
// its worker had crashed: the check went on with its next slot then.
func (s *scene) leftOut(results map[int64]int, at int64) bool {
	next := int64(math.MaxInt64)
	for planned := range results {
		if planned > at {
			next = min(next, planned)
		}
	}
	return !s.p.strict && next > at+10_000 && next < math.MaxInt64
}

// compareJournal: a run that was repeated had a crash before, if it may be
// repeated at all. It gives what ran.
func (s *scene) compareJournal() (ran map[string]bool) {
	runs, err := s.q.Client().LRange(s.t.Context(), journal, 0, -1).Result()
	s.must(err)
	crashes, repeated := 0, 0
	ran = map[string]bool{}
	before := map[string]int{} // run -> crashes before it
	for _, run := range runs {
		if run == crashMark {
			crashes++
			continue
		}
		if n, ok := before[run]; ok {
			repeated++
			if n == crashes || s.p.strict {
				s.t.Errorf("%s ran again, %d crashes before the first time, %d now", run, n, crashes)
			}
		}
		before[run], ran[run] = crashes, true
	}
	if crashes != s.crashes {
		s.t.Errorf("the journal has %d crashes, want %d", crashes, s.crashes)
	}
	s.t.Logf("%d crashes, %d runs, %d of them again", crashes, len(runs)-crashes, repeated)
	return ran
}

// comparePlaces: each check that goes on is in one place, and nothing else is.
func (s *scene) comparePlaces() {
	places, err := s.q.Places(s.t.Context(), lane, going)
	s.must(err)
	current := map[string]bool{}
	for _, p := range places {
		waits, runs := p.Record.State == "waiting", p.Record.State == "queued" || p.Record.State == "leased"
		if waits == runs || waits != (p.Due > 0) {
			s.t.Errorf("%s ends as %+v", p.ID, p)
		}
		current[p.Record.SID] = true
	}
	entries, err := s.q.Client().XRange(s.t.Context(), s.q.KeyReady(lane), "-", "+").Result()
	s.must(err)
	for _, e := range entries {
		if !current[e.ID] {
			s.t.Errorf("entry %s of %v is left over", e.ID, e.Values)
		}
	}
	found, err := s.q.Client().XInfoGroups(s.t.Context(), s.q.KeyReady(lane)).Result()
	s.must(err)
	if len(found) != 1 || found[0].Name != redisqueue.GroupWorkers {
		s.t.Errorf("groups = %+v", found)
	}
}
