package worker

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// decodeLast is the reverse of appendLast. What workers write has one form,
// which is read quickly; all else is encoding/json's. The fuzz test holds the
// two against each other.
func decodeLast(text string) (*check.Last, error) {
	l := &check.Last{}
	if scanLast(text, l) {
		return l, nil
	}
	l = &check.Last{}
	if err := json.Unmarshal([]byte(text), l); err != nil {
		return nil, err
	}
	return l, nil
}

// scanner reads a text from its beginning. At the first thing that it does not
// expect it is off, for good.
type scanner struct {
	rest string
	off  bool
}

func scanLast(text string, l *check.Last) bool {
	s := &scanner{rest: text}
	s.must(`{"state":`)
	state, err := check.ParseState(s.text())
	l.State = state
	if s.may(`,"reason":`) {
		l.Reason = s.text()
	}
	if s.may(`,"text":`) {
		l.Text = s.text()
	}
	if s.may(`,"metrics":[`) {
		l.Metrics = s.metrics()
	}
	s.must(`,"at":`)
	l.At = s.time()
	s.must(`,"planned":`)
	l.Planned = s.int()
	s.must(`,"started":`)
	l.Started = s.int()
	s.must(`,"finished":`)
	l.Finished = s.int()
	s.must(`,"worker":`)
	l.Worker = s.text()
	if s.may(`,"rev":`) {
		l.Rev = s.text()
	}
	s.must(`,"since":`)
	l.Since = s.int()
	if s.may(`,"fails":`) {
		l.Fails = int(s.int())
	}
	s.hold(l)
	if s.may(`,"incident":`) {
		s.off = s.off || !s.incident(l)
	}
	return !s.off && err == nil && s.tail()
}

// hold reads what few checks have.
func (s *scanner) hold(l *check.Last) {
	if s.may(`,"held":`) {
		l.Held = s.text()
	}
	if s.may(`,"down":`) {
		l.Down = s.int()
	}
	if s.may(`,"asked":`) {
		l.Asked = s.int()
	}
	if s.may(`,"turns":`) {
		l.Turns = s.uint(64)
	}
	l.Flapping = s.may(`,"flapping":true`)
}

// incident reads up to the part that an event has behind it, or to the end.
// Within the texts of an incident that part would have its quotes escaped.
func (s *scanner) incident(l *check.Last) bool {
	end := strings.Index(s.rest, eventTail)
	if end < 0 {
		end = len(s.rest) - 1
	}
	if end < 0 || json.Unmarshal([]byte(s.rest[:end]), &l.Incident) != nil {
		return false
	}
	s.rest = s.rest[end:]
	return true
}

// eventTail is where the record ends and what only the event has begins.
const eventTail = `,"previous":"`

// tail says whether the rest ends a record, with an event's part or without.
func (s *scanner) tail() bool {
	return s.rest == "}" || strings.HasPrefix(s.rest, eventTail) && json.Valid([]byte("{"+s.rest[1:]))
}

func (s *scanner) metrics() []check.Metric {
	list := make([]check.Metric, 0, min(1+strings.Count(s.rest, `},{"name":`), check.MaxMetrics))
	for !s.off {
		var m check.Metric
		s.must(`{"name":`)
		m.Name = s.text()
		s.must(`,"kind":`)
		m.Kind = kindOf(s.text())
		if s.may(`,"value":`) {
			m.Value = s.float()
		}
		if s.may(`,"count":`) {
			m.Count = s.uint(64)
		}
		if s.may(`,"width":`) {
			m.Width = uint8(s.uint(8))
		}
		if s.may(`,"str":`) {
			m.Str = s.text()
		}
		if s.may(`,"unit":`) {
			m.Unit = s.text()
		}
		if s.may(`,"at":`) {
			m.At = s.time()
		}
		s.must("}")
		list = append(list, m)
		if s.may("]") {
			return list
		}
		s.must(",")
	}
	return nil
}

// kindOf spares the text of the record for the kinds that there are.
func kindOf(text string) check.Kind {
	switch check.Kind(text) {
	case check.KindGauge:
		return check.KindGauge
	case check.KindCounter:
		return check.KindCounter
	}
	return check.Kind(text)
}

// may takes a part that can be there, must one that has to.
func (s *scanner) may(part string) bool {
	rest, ok := strings.CutPrefix(s.rest, part)
	s.rest = rest
	return ok && !s.off
}

func (s *scanner) must(part string) {
	if !s.may(part) {
		s.off = true
	}
}

// text takes a string without escapes, of ASCII only.
func (s *scanner) text() string {
	s.must(`"`)
	for i := 0; i < len(s.rest); i++ {
		switch c := s.rest[i]; {
		case c == '"':
			text := s.rest[:i]
			s.rest = s.rest[i+1:]
			return text
		case c < ' ' || c > '~' || c == '\\':
			s.off = true
			return ""
		}
	}
	s.off = true
	return ""
}

// number takes the characters that numbers are made of.
func (s *scanner) number() string {
	i := 0
	for i < len(s.rest) && (s.rest[i] >= '0' && s.rest[i] <= '9' || strings.IndexByte("+-.eE", s.rest[i]) >= 0) {
		i++
	}
	text := s.rest[:i]
	s.rest = s.rest[i:]
	// JSON knows no other signs and zeros at the beginning, nor a dot at an end.
	digits := strings.TrimPrefix(text, "-")
	if digits == "" || digits[0] < '0' || digits[0] > '9' || (len(digits) > 1 && digits[0] == '0' && digits[1] != '.' && digits[1]|' ' != 'e') {
		s.off = true
	}
	if dot := strings.IndexByte(digits, '.'); dot >= 0 && (dot+1 == len(digits) || digits[dot+1] < '0' || digits[dot+1] > '9') {
		s.off = true
	}
	return text
}

func (s *scanner) int() int64 {
	n, err := strconv.ParseInt(s.number(), 10, 64)
	s.off = s.off || err != nil
	return n
}

func (s *scanner) uint(bits int) uint64 {
	n, err := strconv.ParseUint(s.number(), 10, bits)
	s.off = s.off || err != nil
	return n
}

func (s *scanner) float() float64 {
	f, err := strconv.ParseFloat(s.number(), 64)
	s.off = s.off || err != nil
	return f
}

func (s *scanner) time() (t time.Time) {
	err := t.UnmarshalText([]byte(s.text()))
	s.off = s.off || err != nil
	return t
}
