package check

import (
	"archive/zip"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"
)

// allZones gives the time zones of Go's copy of the database, and one name of
// each. It is the short form (rules instead of a list of changes), as in a container without zoneinfo.
func allZones(t *testing.T) (zones map[string]*time.Location, names []string) {
	t.Helper()
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	z, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(root)), "lib", "time", "zoneinfo.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	zones = map[string]*time.Location{}
	seen := map[string]bool{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if loc, err := time.LoadLocationFromTZData(f.Name, data); err == nil {
			zones[f.Name] = loc
			if !seen[string(data)] {
				names, seen[string(data)] = append(names, f.Name), true
			}
		}
	}
	if len(names) < 300 {
		t.Fatalf("%d time zones found, want the whole database", len(names))
	}
	return zones, names
}

// wallCron is the definition of a cron expression that does not know how to
// jump: it looks at every wall-clock minute.
type wallCron struct {
	sets             [5][]int // minute, hour, day, month, weekday; nil: any
	either, everyone bool
}

// randomCron gives an expression together with its meaning.
func randomCron(r *rand.Rand) (string, wallCron) {
	bounds := [5][2]int{{0, 59}, {0, 23}, {1, 31}, {1, 12}, {0, 6}}
	var w wallCron
	var words [5]string
	for i, b := range bounds {
		size := b[1] - b[0] + 1
		switch {
		case i > 1 && r.IntN(4) > 0:
			words[i] = "*"
		case r.IntN(3) == 0 && i < 2:
			step := 1 + r.IntN(size-1)
			words[i] = fmt.Sprintf("*/%d", step)
			for v := b[0]; v <= b[1]; v += step {
				w.sets[i] = append(w.sets[i], v)
			}
		default:
			var list []string
			for range 1 + r.IntN(1+r.IntN(6)) {
				v := b[0] + r.IntN(size)
				w.sets[i] = append(w.sets[i], v)
				list = append(list, fmt.Sprint(v))
			}
			words[i] = strings.Join(list, ",")
		}
	}
	w.everyone = words[0][0] == '*' || words[1][0] == '*'
	w.either = words[2] != "*" && words[4] != "*"
	return strings.Join(words[:], " "), w
}

func (w *wallCron) matches(wall time.Time) bool {
	ok := func(i, v int) bool { return w.sets[i] == nil || slices.Contains(w.sets[i], v) }
	if wall.Second() != 0 || !ok(0, wall.Minute()) || !ok(1, wall.Hour()) || !ok(3, int(wall.Month())) {
		return false
	}
	byDay, byWeekday := ok(2, wall.Day()), ok(4, int(wall.Weekday()))
	if w.either {
		return byDay || byWeekday
	}
	return byDay && byWeekday
}

// walk gives the runs in (from, to] by looking at the wall clock every step
// seconds, from warmup on.
func (w *wallCron) walk(loc *time.Location, warmup, from, to, step int64) []int64 {
	wall := func(unix int64) int64 {
		_, offset := time.Unix(unix, 0).In(loc).Zone()
		return unix + int64(offset)
	}
	before := wall(warmup)
	seen := before
	var runs []int64
	for unix := warmup + step; unix <= to; unix += step {
		now := wall(unix)
		fires := false
		// now, and what the clock jumped over to get here
		for v := min(now, before+step); v <= now && unix > from; v += step {
			if (w.everyone || v > seen) && w.matches(time.Unix(v, 0).UTC()) {
				fires = true
			}
		}
		if fires {
			runs = append(runs, unix)
		}
		before, seen = now, max(seen, now)
	}
	return runs
}

// window is a time around a change of a zone's offset. step is what a walker
// must go by to see every wall-clock minute and every change.
type window struct{ warmup, from, to, step int64 }

func windowAround(loc *time.Location, change int64) window {
	const hour = 3600
	w := window{change - 4*hour, change - 4*hour, change + 27*hour, 60}
	if span := spanAt(loc, w.from); !span.first && w.from-span.start < 72*hour {
		w.warmup -= 72 * hour // what was shown before that change counts too
	}
	for at := w.warmup; ; {
		span := spanAt(loc, at)
		if span.offset%60 != 0 || !span.last && span.end%60 != 0 {
			w.step = 1
		}
		if span.last || span.end > w.to {
			break
		}
		at = span.end
	}
	if w.step == 1 {
		w.from = max(w.warmup, change-hour) // it is costly
	}
	return w
}

// changes gives some changes of a zone's offset, old and new ones, and the end
// of a leap year.
func changes(loc *time.Location, r *rand.Rand) []int64 {
	var all []int64
	for at := int64(-4_000_000_000); at < 2_300_000_000 && len(all) < 1000; {
		span := spanAt(loc, at)
		if span.last {
			break
		}
		all = append(all, span.end)
		at = span.end
	}
	endOf2028 := time.Date(2028, 12, 31, 0, 0, 0, 0, time.UTC).Unix()
	if len(all) == 0 {
		return []int64{endOf2028}
	}
	n := len(all)
	return []int64{endOf2028, all[n-1-r.IntN(min(n, 60))], all[n-1-r.IntN(min(n, 60))], all[r.IntN(n)]}
}

func TestCronAgainstWalkerInAllZones(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	zones, names := allZones(t)
	slow := 0
	for _, name := range names {
		for _, change := range changes(zones[name], r) {
			w := windowAround(zones[name], change)
			if w.step == 1 {
				if slow++; slow > 6 {
					continue
				}
			}
			compareWithWalker(t, zones[name], w, r)
		}
	}
	for _, odd := range []struct { // a day skipped, a day twice, 30 minutes, 2 hours
		name   string
		change int64
	}{
		{"Pacific/Apia", 1325239200}, {"Pacific/Kwajalein", 745934400}, {"America/Juneau", -3225223727},
		{"Australia/Lord_Howe", 1791041400}, {"Antarctica/Troll", 1792890000},
	} {
		w := windowAround(zones[odd.name], odd.change)
		runs := 8
		if w.step == 1 {
			runs = 1
		}
		for range runs {
			compareWithWalker(t, zones[odd.name], w, r)
		}
	}
}

func compareWithWalker(t *testing.T, loc *time.Location, w window, r *rand.Rand) {
	t.Helper()
	expr, meaning := randomCron(r)
	c, err := ParseCron(expr, "")
	if err != nil {
		return // a day that no month has
	}
	c.loc = loc
	want := meaning.walk(loc, w.warmup, w.from, w.to, w.step)
	var got []int64
	for at := c.Next(time.Unix(w.from, 0)); !at.IsZero() && at.Unix() <= w.to; at = c.Next(at) {
		got = append(got, at.Unix())
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q in %s around %v:\n got %v\nwant %v", expr, loc, time.Unix(w.from, 0).UTC(), got, want)
		return
	}
	for range 5 { // from anywhere, not only from slot to slot
		from := w.from + r.Int64N(w.to-w.from)
		i, _ := slices.BinarySearch(want, from+1)
		if i < len(want) {
			if next := c.Next(time.Unix(from, 0)).Unix(); next != want[i] {
				t.Errorf("%q in %s: Next(%d) = %d, want %d", expr, loc, from, next, want[i])
			}
		}
	}
}
