package proctest

import (
	"fmt"
	"slices"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// Bounds are what a scenario allows.
type Bounds struct {
	// Doubles is how many runs of one check may have left no result: those
	// were made again.
	Doubles int
	// Gap is for how long a check may be away, beside its interval and the
	// slack.
	Gap time.Duration
	// OffGrid is how many runs of one check may be planned beside its grid.
	OffGrid int
	// Slack is added to bounds of time, for busy machines.
	Slack time.Duration
}

// Tally is what a scenario came to.
type Tally struct {
	Runs, Results, Doubles, Missed, OffGrid int
	Worst                                   time.Duration // the longest time away
	Late                                    []int64       // ms
}

// String tells of a tally in one line.
func (t *Tally) String() string {
	slices.Sort(t.Late)
	n := len(t.Late)
	if n == 0 {
		return "no results"
	}
	return fmt.Sprintf("%d runs, %d results, %d doubles, %d missed slots, %d beside the grid; longest away %s; late p50 %d ms, p99 %d ms, max %d ms",
		t.Runs, t.Results, t.Doubles, t.Missed, t.OffGrid, t.Worst.Round(time.Millisecond), t.Late[n/2], t.Late[n*99/100], t.Late[n-1])
}

// Book is what is known of one check: its interval, its runs as the target saw
// them, and its results in the order of their planned times.
type Book struct {
	Every   time.Duration
	Seen    []Arrival
	Results []check.Event
}

// until leaves out the runs that began while results were read, which may be a
// while: what was seen later, and the results of what was not seen.
func (k Book) until(cut time.Time) Book {
	late := slices.IndexFunc(k.Seen, func(a Arrival) bool { return !a.At.Before(cut) })
	if late < 0 {
		return k
	}
	k.Seen = k.Seen[:late]
	if late > 0 {
		last := k.Seen[late-1].At.UnixMilli()
		k.Results = slices.DeleteFunc(slices.Clone(k.Results), func(r check.Event) bool { return r.Started > last })
	}
	return k
}

// Judge compares a check's runs with its results, adds it to the tally, and
// gives what is wrong with it, by kind.
func (k Book) Judge(b Bounds, sum *Tally) map[string]string {
	faults := map[string]string{}
	fault := func(kind, format string, args ...any) { faults[kind] = fmt.Sprintf(format, args...) }
	seen, results := k.Seen, k.Results
	if len(seen) == 0 || len(results) == 0 {
		fault("are lost", "%d runs, %d results", len(seen), len(results))
		return faults
	}
	off := k.judgeResults(sum, fault)
	if off > b.OffGrid {
		fault("leave their grid", "%d of %d planned times, want at most %d", off, len(results), b.OffGrid)
	}
	doubles := len(seen) - len(results)
	if doubles < 0 || doubles > b.Doubles {
		fault("ran twice or not at all", "%d runs seen, %d results, want at most %d more runs", len(seen), len(results), b.Doubles)
	}
	if doubles == 0 {
		early(seen, results, fault)
	}
	worst := away(seen)
	if limit := k.Every + b.Gap + b.Slack; worst > limit {
		fault("were away for too long", "%s, want at most %s", worst, limit)
	}
	sum.Runs, sum.Results, sum.Doubles, sum.OffGrid = sum.Runs+len(seen), sum.Results+len(results), sum.Doubles+doubles, sum.OffGrid+off
	sum.Worst = max(sum.Worst, worst)
	return faults
}

// judgeResults judges the results one by one, and counts those that are planned
// beside the grid.
func (k Book) judgeResults(sum *Tally, fault func(kind, format string, args ...any)) (off int) {
	step := k.Every.Milliseconds()
	place := grid(k.Results, step)
	for i, r := range k.Results {
		if i > 0 && r.Planned <= k.Results[i-1].Planned {
			fault("have planned times that do not rise", "%d follows %d", r.Planned, k.Results[i-1].Planned)
		}
		if i > 0 {
			sum.Missed += int(max(r.Planned-k.Results[i-1].Planned-1, 0) / step)
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
		sum.Late = append(sum.Late, r.Started-r.Planned)
	}
	return off
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
func early(seen []Arrival, results []check.Event, fault func(kind, format string, args ...any)) {
	for i, r := range results {
		if at := seen[i].At.UnixMilli(); at < r.Planned {
			fault("arrived early", "at %d, planned for %d", at, r.Planned)
		}
	}
}

// away is the longest time between two arrivals.
func away(seen []Arrival) (worst time.Duration) {
	for i := 1; i < len(seen); i++ {
		worst = max(worst, seen[i].At.Sub(seen[i-1].At))
	}
	return worst
}
