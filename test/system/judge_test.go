package system

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// bounds are what a scenario allows.
type bounds struct {
	// doubles is how many runs of one check may have left no result: those
	// were made again.
	doubles int
	// gap is for how long a check may be away, beside its interval and the
	// slack.
	gap time.Duration
	// offGrid is how many runs of one check may be planned beside its grid.
	offGrid int
}

// recovery is how long the checks of a lost worker may be away.
const recovery = lease + lease/3 + time.Second

// finish ends a scenario: all checks go on, verify finds nothing, the workers
// drain, and the books agree.
func (f *fleet) finish(b bounds) tally {
	f.Helper()
	begun := time.Now()
	f.eventually(b.gap+6*time.Second, func() error {
		if f.kills > 0 {
			f.pardon()
		}
		return f.behind(begun, 2)
	})
	f.verify()
	for _, w := range f.running("w") {
		w.stop()
	}
	f.readResults()
	return f.judge(b)
}

// verify lets the CLI prove that everything is in its place.
func (f *fleet) verify() {
	f.Helper()
	if out, code := f.redpoll("verify"); code != 0 {
		f.Errorf("redpoll verify = %d\n%s", code, out)
	}
}

// tally is what a scenario came to.
type tally struct {
	runs, results, doubles, missed, offGrid int
	worst                                   time.Duration // the longest time away
	late                                    []int64       // ms
}

// judge compares what the target saw with what the results say.
func (f *fleet) judge(b bounds) tally {
	f.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	var sum tally
	faults := map[string][]string{}
	for id, every := range f.checks {
		for kind, text := range f.judgeOne(id, every, b, &sum) {
			faults[kind] = append(faults[kind], id+": "+text)
		}
	}
	for kind, list := range faults {
		slices.Sort(list)
		f.Errorf("%d checks %s:\n  %s", len(list), kind, strings.Join(list[:min(len(list), 5)], "\n  "))
	}
	slices.Sort(sum.late)
	if n := len(sum.late); n > 0 {
		f.Logf("%d checks, %d runs, %d results, %d doubles, %d missed slots, %d beside the grid; longest away %s; late p50 %d ms, p99 %d ms, max %d ms",
			len(f.checks), sum.runs, sum.results, sum.doubles, sum.missed, sum.offGrid, sum.worst.Round(time.Millisecond),
			sum.late[n/2], sum.late[n*99/100], sum.late[n-1])
	}
	return sum
}

// judgeOne judges one check and gives what is wrong with it, by kind.
func (f *fleet) judgeOne(id string, every time.Duration, b bounds, sum *tally) map[string]string {
	faults := map[string]string{}
	fault := func(kind, format string, args ...any) { faults[kind] = fmt.Sprintf(format, args...) }
	seen, results := f.target.of(id), f.results[id]
	if len(seen) == 0 || len(results) == 0 {
		fault("are lost", "%d runs, %d results", len(seen), len(results))
		return faults
	}
	if f.pardoned[id] { // it was away, and then ran at once
		b.gap, b.offGrid = time.Hour, b.offGrid+2
		results = slices.DeleteFunc(slices.Clone(results), func(r check.Event) bool { return r.Result.Reason == check.ReasonWorkerLost })
	}
	step := every.Milliseconds()
	place := grid(results, step)
	off := 0
	for i, r := range results {
		if i > 0 && r.Planned <= results[i-1].Planned {
			fault("have planned times that do not rise", "%d follows %d", r.Planned, results[i-1].Planned)
		}
		if i > 0 {
			sum.missed += int(max(r.Planned-results[i-1].Planned-1, 0) / step)
		}
		if r.Started < r.Planned {
			fault("ran early", "started at %d, planned for %d", r.Started, r.Planned)
		}
		if r.Planned%step != place {
			off++
		}
		if r.Result.State != check.StateOK {
			fault("have results that are not OK", "%s %s %s", r.Result.State, r.Result.Reason, r.Result.Text)
		}
		sum.late = append(sum.late, r.Started-r.Planned)
	}
	if off > b.offGrid {
		fault("leave their grid", "%d of %d planned times, want at most %d", off, len(results), b.offGrid)
	}
	doubles := len(seen) - len(results)
	if doubles < 0 || doubles > b.doubles {
		fault("ran twice or not at all", "%d runs seen, %d results, want at most %d more runs", len(seen), len(results), b.doubles)
	}
	if doubles == 0 {
		early(seen, results, fault)
	}
	worst := away(seen)
	if limit := every + b.gap + *slack; worst > limit {
		fault("were away for too long", "%s, want at most %s", worst, limit)
	}
	sum.runs, sum.results, sum.doubles, sum.offGrid = sum.runs+len(seen), sum.results+len(results), sum.doubles+doubles, sum.offGrid+off
	sum.worst = max(sum.worst, worst)
	return faults
}

// grid gives where in its interval a check is planned: what most of its
// results say.
func grid(results []check.Event, step int64) int64 {
	count := map[int64]int{}
	best := results[0].Planned % step
	for _, r := range results {
		place := r.Planned % step
		if count[place]++; count[place] > count[best] {
			best = place
		}
	}
	return best
}

// early compares arrivals with planned times one by one.
func early(seen []arrival, results []check.Event, fault func(kind, format string, args ...any)) {
	for i, r := range results {
		if at := seen[i].at.UnixMilli(); at < r.Planned {
			fault("arrived early", "at %d, planned for %d", at, r.Planned)
		}
	}
}

// away is the longest time between two arrivals.
func away(seen []arrival) (worst time.Duration) {
	for i := 1; i < len(seen); i++ {
		worst = max(worst, seen[i].at.Sub(seen[i-1].at))
	}
	return worst
}
