package worker

import (
	"container/heap"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// change is a change of an incident that waits for its delivery.
type change struct {
	sid string
	// ev is nil when it is to be read again: only what may be tried soon stays in
	// memory.
	ev *check.Event
}

// line are the changes of one check, in order: the first is delivered before
// the second is tried.
type line struct {
	id      string
	changes []change
	attempt int       // of the first, made so far
	at      time.Time // of its next attempt, while it waits
	flying  bool      // its first is being delivered
	parked  bool      // it is due, and its check is claimed
}

// lines are the changes that a feed has read and not settled. It is not safe
// for concurrent use.
type lines struct {
	byID    map[string]*line
	due     []*line         // whose first may be tried now, in order
	waiting retries         // whose first failed
	claimed map[string]bool // ids of checks whose changes rest for a moment
	count   int             // all changes
	loaded  int             // those whose event is in memory
	flying  int
}

func newLines() *lines { return &lines{byID: map[string]*line{}, claimed: map[string]bool{}} }

// add puts a change at the end of its check's line. Its event is kept when
// there is room, unless the check has one that fails.
func (s *lines) add(id, sid string, ev *check.Event, room bool) {
	l := s.byID[id]
	if l == nil {
		l = &line{id: id}
		s.byID[id] = l
		s.due = append(s.due, l)
	}
	if l.attempt > 0 || !room {
		ev = nil
	}
	if ev != nil {
		s.loaded++
	}
	l.changes = append(l.changes, change{sid, ev})
	s.count++
}

// next takes the first line that is due, nil when none is.
func (s *lines) next() *line {
	for len(s.due) > 0 {
		l := s.due[0]
		s.due[0] = nil
		s.due = s.due[1:]
		if s.claimed[l.id] {
			l.parked = true
			continue
		}
		l.flying = true
		s.flying++
		return l
	}
	s.due = nil // the room in front of it
	return nil
}

// settled takes the first change of a line that was flying away.
func (s *lines) settled(l *line) {
	s.landed(l)
	s.unload(l, 0, 1)
	l.changes[0] = change{}
	l.changes = l.changes[1:]
	s.count--
	l.attempt = 0
	if len(l.changes) == 0 {
		delete(s.byID, l.id)
		return
	}
	s.due = append(s.due, l)
}

// failed makes a line that was flying wait. What comes behind rests with it,
// and is read again when its time has come.
func (s *lines) failed(l *line, at time.Time) {
	s.landed(l)
	s.unload(l, 0, len(l.changes))
	l.attempt++
	l.at = at
	heap.Push(&s.waiting, l)
}

// rest makes a line that was flying wait: its attempt did not count.
func (s *lines) rest(l *line, at time.Time) {
	s.landed(l)
	l.at = at
	heap.Push(&s.waiting, l)
}

// again makes a line that was flying due at once: its attempt did not count.
func (s *lines) again(l *line) {
	s.landed(l)
	s.due = append(s.due, l)
}

func (s *lines) landed(l *line) {
	l.flying = false
	s.flying--
}

func (s *lines) unload(l *line, from, to int) {
	for i := from; i < to; i++ {
		if l.changes[i].ev != nil {
			l.changes[i].ev = nil
			s.loaded--
		}
	}
}

// ripe makes due what has waited long enough, and tells when the next one has;
// zero: none waits.
func (s *lines) ripe(now time.Time) time.Time {
	for len(s.waiting) > 0 {
		if l := s.waiting[0]; l.at.After(now) {
			return l.at
		}
		s.due = append(s.due, heap.Pop(&s.waiting).(*line))
	}
	return time.Time{}
}

// hurry makes due all that waits.
func (s *lines) hurry() {
	for len(s.waiting) > 0 {
		s.due = append(s.due, heap.Pop(&s.waiting).(*line))
	}
}

// claim makes the changes of checks rest until they are released, and leaves
// out those that have one on its way.
func (s *lines) claim(ids []string) (got []string) {
	for _, id := range ids {
		if l := s.byID[id]; (l == nil || !l.flying) && !s.claimed[id] {
			s.claimed[id] = true
			got = append(got, id)
		}
	}
	return got
}

func (s *lines) release(ids []string) {
	for _, id := range ids {
		delete(s.claimed, id)
		if l := s.byID[id]; l != nil && l.parked {
			l.parked = false
			s.due = append(s.due, l)
		}
	}
}

// oldest gives the id of the earliest entry, empty when there is none.
func (s *lines) oldest() (sid string) {
	first := int64(0)
	for _, l := range s.byID {
		if at := entryTime(l.changes[0].sid); sid == "" || at < first {
			sid, first = l.changes[0].sid, at
		}
	}
	return sid
}

// retries is a heap of lines by the time of their next attempt.
type retries []*line

func (r retries) Len() int           { return len(r) }
func (r retries) Less(i, j int) bool { return r[i].at.Before(r[j].at) }
func (r retries) Swap(i, j int)      { r[i], r[j] = r[j], r[i] }
func (r *retries) Push(x any)        { *r = append(*r, x.(*line)) }

func (r *retries) Pop() any {
	last := len(*r) - 1
	l := (*r)[last]
	(*r)[last] = nil
	*r = (*r)[:last]
	return l
}
