package system

import (
	"slices"
	"strings"
	"time"

	"github.com/redpoll/redpoll/internal/proctest"
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
func (f *fleet) finish(b bounds) proctest.Tally {
	f.Helper()
	begun := time.Now()
	f.goOn(begun, 2, b.gap+6*time.Second)
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

// judge compares what the target saw with what the results say.
func (f *fleet) judge(b bounds) proctest.Tally {
	f.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	var sum proctest.Tally
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
	f.Logf("%d checks, %s", len(f.checks), &sum)
	return sum
}

// judgeOne judges one check and gives what is wrong with it, by kind.
func (f *fleet) judgeOne(id string, every time.Duration, b bounds, sum *proctest.Tally) map[string]string {
	k := proctest.Book{Every: every, Seen: f.target.of(id), Results: f.results[id]}
	return k.Judge(proctest.Bounds{Doubles: b.doubles, Gap: b.gap, OffGrid: b.offGrid, Slack: *slack}, sum)
}
