package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// series are the samples: of each name a value for each time.
type series struct {
	names   []string
	at      []time.Duration
	rows    []map[string]float64
	written int
}

func (s *series) add(at time.Duration, row map[string]float64) {
	for name := range row {
		if !slices.Contains(s.names, name) {
			s.names = append(s.names, name)
		}
	}
	if len(s.rows) == 0 {
		slices.Sort(s.names)
	}
	s.at, s.rows = append(s.at, at), append(s.rows, row)
}

// write appends what is new to a CSV file. The columns are those of the first
// sample.
func (s *series) write(w io.Writer) error {
	c := csv.NewWriter(w)
	if s.written == 0 {
		if err := c.Write(append([]string{"seconds"}, s.names...)); err != nil {
			return err
		}
	}
	for ; s.written < len(s.rows); s.written++ {
		line := []string{strconv.FormatFloat(s.at[s.written].Seconds(), 'f', 1, 64)}
		for _, name := range s.names {
			line = append(line, strconv.FormatFloat(s.rows[s.written][name], 'f', -1, 64))
		}
		if err := c.Write(line); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}

// readSeries is the reverse.
func readSeries(path string) (*series, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	lines, err := csv.NewReader(file).ReadAll()
	if err != nil || len(lines) < 2 || lines[0][0] != "seconds" {
		return nil, fmt.Errorf("%s: no samples in it: %w", path, err)
	}
	s := &series{names: lines[0][1:]}
	for _, line := range lines[1:] {
		row := map[string]float64{}
		for i, text := range line {
			v, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			if i == 0 {
				s.at = append(s.at, time.Duration(v*float64(time.Second)))
			} else {
				row[s.names[i-1]] = v
			}
		}
		s.rows = append(s.rows, row)
	}
	return s, nil
}

// rule says how much a value may grow over the whole time: a part of its
// median, or so much, whichever is more.
type rule struct {
	suffix   string
	part, at float64
}

// rules are those for the names with these ends; what has none is not judged.
// A leak that matters passes these within hours; noise does not.
var rules = []rule{
	{"redis rss", 0.5, 64 << 20}, // full of holes after the filler has gone: used_memory tells more
	{" rss", 0.15, 6 << 20}, {" heap", 0.2, 6 << 20}, {" goroutines", 0.1, 20}, {" fds", 0.1, 8},
	{"redis used_memory", 0.05, 4 << 20}, {"redis clients", 0.1, 6},
	{"stream ready", 0.2, 200}, {"stream results", 0.02, 1500}, {"stream changes", 0.02, 1500}, {"stream intake", 0.2, 50}, {"stream intake:log", 0.1, 1500},
	{"hash runs", 0.01, 20}, {"hash last", 0.01, 20}, {"hash specs", 0.01, 20}, {"zset due", 0.1, 200}, {"hash workers", 0, 8},
}

// warmUp is the part of the time at the beginning that is not judged: caches
// fill, heaps find their size.
const warmUp = 0.3

// verdict judges every series; its error says what grew.
func verdict(s *series, w io.Writer) error {
	from := int(warmUp * float64(len(s.rows)))
	if len(s.rows)-from < 10 {
		return fmt.Errorf("%d samples: want 15 or more for a verdict", len(s.rows))
	}
	at := s.at[from:]
	span := (at[len(at)-1] - at[0]).Seconds()
	fmt.Fprintf(w, "\n%-26s %14s %14s %14s  over %s\n", "what", "median", "grew", "may grow", time.Duration(span*float64(time.Second)).Round(time.Second))
	var faults []error
	for _, name := range s.names {
		i := slices.IndexFunc(rules, func(r rule) bool { return strings.HasSuffix(name, r.suffix) })
		if i < 0 {
			continue
		}
		values := make([]float64, len(at))
		for k := range at {
			values[k] = s.rows[from+k][name]
		}
		grew, limit := slope(at, values)*span, max(rules[i].part*median(values), rules[i].at)
		mark := ""
		if grew > limit {
			mark = "  GROWS"
			faults = append(faults, fmt.Errorf("%s grew by %.0f, may grow by %.0f", name, grew, limit))
		}
		fmt.Fprintf(w, "%-26s %14.0f %14.0f %14.0f%s\n", name, median(values), grew, limit, mark)
	}
	faults = append(faults, judgeWork(s, w)...)
	if len(faults) == 0 {
		fmt.Fprintln(w, "flat")
	}
	return errors.Join(faults...)
}

// judgeWork demands that the fleet worked all the time.
func judgeWork(s *series, w io.Writer) (faults []error) {
	first, last := s.rows[0], s.rows[len(s.rows)-1]
	span := (s.at[len(s.at)-1] - s.at[0]).Seconds()
	got, want := last["results"]-first["results"], last["rate"]*span
	fmt.Fprintf(w, "%.0f results of about %.0f, %.0f missed slots, %.0f stale, %.0f repairs\n", got, want, last["missed"], last["stale"], last["repairs"])
	if got < 0.9*want {
		faults = append(faults, fmt.Errorf("%.0f results, want about %.0f", got, want))
	}
	return faults
}

// slope is the median of the slopes between all pairs of points, a second
// (Theil and Sen): outliers do not move it.
func slope(at []time.Duration, values []float64) float64 {
	var all []float64
	for i := range at {
		for k := i + 1; k < len(at); k++ {
			if d := (at[k] - at[i]).Seconds(); d > 0 {
				all = append(all, (values[k]-values[i])/d)
			}
		}
	}
	return median(all)
}

func median(list []float64) float64 {
	if len(list) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}
