package rrdcached

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// Archive is a round robin archive of new files: a minimum, an average and a
// maximum for each Every, kept For so long. An Every below the check's interval
// is that interval.
type Archive struct {
	Every check.Duration `json:"every"`
	For   check.Duration `json:"for"`
}

const maxRows = 1_000_000 // of an archive: 24 MB with its three functions

func checkArchives(all []Archive) error {
	if len(all) == 0 || len(all) > 16 {
		return fmt.Errorf("%d of them, want 1 to 16", len(all))
	}
	for _, a := range all {
		if a.Every < 0 || a.For.D() < time.Minute || a.For.D() > 20*366*24*time.Hour || a.For < a.Every {
			return fmt.Errorf("every %v for %v: want an every that is not negative, and a for that is longer, 1m to 20 years", a.Every, a.For)
		}
		if rows := a.For.D() / max(a.Every.D(), time.Second); rows > maxRows {
			return fmt.Errorf("every %v for %v: up to %d rows, want at most %d", a.Every, a.For, rows, maxRows)
		}
	}
	return nil
}

// The kinds of data sources.
const (
	kindGauge   = 'G'
	kindCounter = 'C' // of 32 bits: a fall is a wrap
	kindDerive  = 'D' // of 64 bits: a fall is a reset, after which the rate is unknown
)

var dsTypes = map[byte]string{kindGauge: "GAUGE:%d:U:U", kindCounter: "COUNTER:%d:0:U", kindDerive: "DERIVE:%d:0:U"}

func kindOf(m *check.Metric) byte {
	switch {
	case m.Kind != check.KindCounter:
		return kindGauge
	case m.Width == 32:
		return kindCounter
	}
	return kindDerive
}

// update is one value for one file. In the queue it is a line
//
//	STEP KIND DS MILLIS PATH VALUE
//
// which has what an UPDATE needs, and what a CREATE needs if the file is missing.
type update struct {
	step        int64 // seconds
	kind        byte
	millis      int64 // unix ms
	ds          []byte
	path, value []byte
}

// appendHead appends what stands before the path, with the metric's name.
func (u *update) appendHead(b []byte, metric string) []byte {
	b = strconv.AppendInt(b, u.step, 10)
	b = append(b, ' ', u.kind, ' ')
	b = appendDS(b, metric)
	b = append(b, ' ')
	b = strconv.AppendInt(b, u.millis, 10)
	return append(b, ' ')
}

// appendDS appends the name of a data source: at most 19 bytes of
// [a-zA-Z0-9_]. It is alone in its file, so that none is taken already.
func appendDS(b []byte, name string) []byte {
	if name == "" {
		return append(b, '_')
	}
	for i := range min(len(name), 19) {
		c := name[i]
		if c == '-' || !isPlain(c) {
			c = '_'
		}
		b = append(b, c)
	}
	return b
}

// appendValue appends the value; U is none.
func (u *update) appendValue(b []byte, m *check.Metric) []byte {
	b = append(b, ' ')
	switch {
	case m.Kind == check.KindCounter:
		b = strconv.AppendUint(b, m.Count, 10)
	case math.IsNaN(m.Value) || math.IsInf(m.Value, 0):
		b = append(b, 'U')
	default:
		b = strconv.AppendFloat(b, m.Value, 'g', -1, 64)
	}
	return append(b, '\n')
}

// parseUpdates reads lines of the queue, and appends them to all. They share the
// memory of text.
func parseUpdates(all []update, text []byte) ([]update, error) {
	for line := range bytes.Lines(text) {
		rest := bytes.TrimSuffix(line, []byte("\n"))
		var words [6][]byte
		n := 0
		for more := true; more && n < len(words); n++ {
			words[n], rest, more = bytes.Cut(rest, []byte(" "))
		}
		if n < len(words) || len(rest) > 0 || len(words[1]) != 1 {
			return nil, fmt.Errorf("update %q is none", line)
		}
		step, err := strconv.ParseInt(string(words[0]), 10, 64)
		millis, err2 := strconv.ParseInt(string(words[3]), 10, 64)
		if err := errors.Join(err, err2); err != nil {
			return nil, fmt.Errorf("update %q: %w", line, err)
		}
		all = append(all, update{step: step, kind: words[1][0], ds: words[2], millis: millis, path: words[4], value: words[5]})
	}
	return all, nil
}

// appendUpdate appends the command that writes the value.
func (u *update) appendUpdate(b []byte) []byte {
	b = append(append(b, "UPDATE "...), u.path...)
	b = strconv.AppendInt(append(b, ' '), u.millis/1000, 10)
	ms := u.millis % 1000
	b = append(b, '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10), ':')
	return append(append(b, u.value...), '\n')
}

// appendCreate appends the command that makes the file, unless it is there. It
// begins an interval before the value, which is then known for that interval.
func (u *update) appendCreate(b []byte, archives []Archive) []byte {
	b = append(append(b, "CREATE "...), u.path...)
	b = fmt.Appendf(b, " -O -s %d -b %d DS:%s:", u.step, u.millis/1000-u.step, u.ds)
	b = fmt.Appendf(b, dsTypes[u.kind], 2*u.step)
	for i, a := range archives {
		steps, rows := a.size(u.step)
		if again(archives[:i], steps, u.step) {
			continue
		}
		for _, other := range archives[i+1:] {
			if s, r := other.size(u.step); s == steps {
				rows = max(rows, r)
			}
		}
		for _, function := range []string{"MIN", "AVERAGE", "MAX"} {
			b = fmt.Appendf(b, " RRA:%s:0.5:%d:%d", function, steps, rows)
		}
	}
	return append(b, '\n')
}

// size is that of an archive in a file with the given step: how many steps make
// a row, and how many rows there are.
func (a Archive) size(step int64) (steps, rows int64) {
	steps = max((int64(a.Every.D()/time.Second)+step-1)/step, 1)
	rows = max((int64(a.For.D()/time.Second)+steps*step-1)/(steps*step), 1)
	return steps, rows
}

// again says whether an archive with rows of so many steps is there already,
// which happens when a check's interval is longer than theirs.
func again(archives []Archive, steps, step int64) bool {
	for _, a := range archives {
		if s, _ := a.size(step); s == steps {
			return true
		}
	}
	return false
}
