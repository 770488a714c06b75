package remotewrite

import (
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/handlers/internal/sample"
)

// The tags of the protocol's messages: number of the field, and how it is
// written (1: eight bytes, 2: a length and so many bytes, 0: a varint).
//
//	message WriteRequest { repeated TimeSeries timeseries = 1; }
//	message TimeSeries   { repeated Label labels = 1; repeated Sample samples = 2; }
//	message Label        { string name = 1; string value = 2; }
//	message Sample       { double value = 1; int64 timestamp = 2; }
//
// A request is one time series after the other, and so is each piece of one.
const (
	tagSeries    = 1<<3 | 2
	tagLabel     = 1<<3 | 2
	tagSample    = 2<<3 | 2
	tagLabelName = 1<<3 | 2
	tagValue     = 1<<3 | 1
	tagTimestamp = 2 << 3

	tagLabelValue = 2<<3 | 2
)

// The bits of NaNs that mean something to Prometheus.
const (
	normalNaN = 0x7ff8000000000001
	staleNaN  = 0x7ff0000000000002 // the series ends here
)

// fieldSize is the size of a field of n bytes with its tag and length.
func fieldSize(n int) int { return 1 + varintSize(uint64(n)) + n }

func varintSize(v uint64) int { return (bits.Len64(v|1) + 6) / 7 }

// encoder writes the series of one event.
type encoder struct {
	ev     *check.Event
	out    []byte
	values int
	labels labels
}

// samples writes all series of a shape.
func (e *encoder) samples(sh *shape) {
	for i := range sh.series {
		s := &sh.series[i]
		value, millis := e.sample(s.index)
		e.series(s, value, millis)
	}
}

// sample gives a value, as the bits of a float, and its time.
func (e *encoder) sample(index int) (value uint64, millis int64) {
	var own check.Metric
	switch index {
	case indexState:
		own.Value = float64(e.ev.Result.State)
	case indexTook:
		own.Value = float64(e.ev.Finished-e.ev.Started) / 1000
	case indexIncident:
		if e.ev.Incident != nil && e.ev.Incident.Resolved == 0 {
			own.Value = 1
		}
	default:
		m := &e.ev.Result.Metrics[index]
		if m.Kind == check.KindCounter {
			return math.Float64bits(float64(m.Count)), sample.Millis(e.ev, m)
		}
		own = *m
	}
	if math.IsNaN(own.Value) { // whatever its bits are, it is no marker
		return normalNaN, sample.Millis(e.ev, &own)
	}
	return math.Float64bits(own.Value), sample.Millis(e.ev, &own)
}

// stale writes markers for the series that were there before and are not now.
func (e *encoder) stale(now, before *shape) {
	millis := sample.Millis(e.ev, &check.Metric{})
	kept := make(map[series]bool, len(now.series))
	for _, s := range now.series {
		s.index = 0
		kept[s] = true
	}
	for _, s := range before.series {
		s.index = 0
		if !kept[s] {
			e.series(&s, staleNaN, millis)
		}
	}
}

// series writes a time series with one sample.
func (e *encoder) series(s *series, value uint64, millis int64) {
	l := &e.labels
	sampleSize := 1 + 8 + 1 + varintSize(uint64(millis))
	size := len(l.text) + len(s.name) + len(s.item) + len(s.metric) + fieldSize(sampleSize)
	b := append(e.out, tagSeries)
	b = binary.AppendUvarint(b, uint64(size))
	b = append(append(b, l.text[:l.name]...), s.name...)
	b = append(append(b, l.text[l.name:l.item]...), s.item...)
	b = append(append(b, l.text[l.item:l.metric]...), s.metric...)
	b = append(b, l.text[l.metric:]...)
	b = append(b, tagSample)
	b = binary.AppendUvarint(b, uint64(sampleSize))
	b = append(b, tagValue)
	b = binary.LittleEndian.AppendUint64(b, value)
	b = append(b, tagTimestamp)
	e.out = binary.AppendUvarint(b, uint64(millis))
	e.values++
}
