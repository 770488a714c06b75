package worker

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// outboxFake is a stream of changes in memory, for any number of workers.
type outboxFake struct {
	broken  check.Lane      // whose incidents cannot be read
	metrics DeliveryMetrics // of its workers; nil: none
	mu      sync.Mutex      // guards the rest
	beats   map[string]check.Heartbeat
	lanes   map[check.Lane]*laneFake
	letters []check.DeadLetter
	writes  map[string]int // moves by name
	seq     int
}

type laneFake struct {
	entries   []check.ChangeEntry
	trimmed   int // entries that were in front of the first
	groups    map[string]*groupFake
	readers   map[string]bool
	incidents map[string]string
	last      map[string]string
	specs     map[string]string
	holds     map[string]holdFake
}

type groupFake struct {
	read    int // entries that were read or missed
	pending []string
}

type holdFake struct {
	token string
	until time.Time
}

func newOutbox(lanes ...check.Lane) *outboxFake {
	o := &outboxFake{beats: map[string]check.Heartbeat{}, lanes: map[check.Lane]*laneFake{}, writes: map[string]int{}}
	for _, l := range lanes {
		o.lanes[l] = &laneFake{
			groups: map[string]*groupFake{}, readers: map[string]bool{}, holds: map[string]holdFake{},
			incidents: map[string]string{}, last: map[string]string{}, specs: map[string]string{},
		}
	}
	return o
}

// seat is the place of one worker at the queue; a worker that is cut off reaches
// nothing any more.
type seat struct {
	*fake
	*outboxFake
	cut atomic.Bool
}

var _ Outbox = (*seat)(nil)

func (o *outboxFake) seat() *seat {
	s := &seat{fake: newFake(), outboxFake: o}
	s.fake.lanes = nil
	for l := range o.lanes {
		s.fake.lanes = append(s.fake.lanes, l)
	}
	slices.SortFunc(s.fake.lanes, func(a, b check.Lane) int { return strings.Compare(a.String(), b.String()) })
	return s
}

// enter begins a move: it locks, unless the seat is cut off.
func (s *seat) enter(move string) error {
	if s.cut.Load() {
		return errAway
	}
	s.outboxFake.mu.Lock()
	s.writes[move]++
	return nil
}

func (s *seat) leave() { s.outboxFake.mu.Unlock() }

func (s *seat) Beat(_ context.Context, b check.Heartbeat) error {
	if err := s.enter("beat"); err != nil {
		return err
	}
	defer s.leave()
	b.At = time.Now().UnixMilli()
	s.beats[b.Name] = b
	return nil
}

func (s *seat) DropWorkers(_ context.Context, names ...string) error {
	if err := s.enter("drop"); err != nil {
		return err
	}
	defer s.leave()
	for _, n := range names {
		delete(s.beats, n)
	}
	return nil
}

func (s *seat) Workers(context.Context) (out []check.Heartbeat, err error) {
	if err := s.enter("workers"); err != nil {
		return nil, err
	}
	defer s.leave()
	for _, b := range s.beats {
		out = append(out, b)
	}
	return out, nil
}

func (s *seat) DeliveryOwners(_ context.Context, lane check.Lane, handlers []string) ([]string, error) {
	if err := s.enter("owners"); err != nil {
		return nil, err
	}
	defer s.leave()
	out := make([]string, len(handlers))
	for i, h := range handlers {
		out[i] = s.holder(lane, h)
	}
	return out, nil
}

// holder is the token that counts. o.mu is held.
func (o *outboxFake) holder(lane check.Lane, handler string) string {
	if h := o.lanes[lane].holds[handler]; time.Now().Before(h.until) {
		return h.token
	}
	return ""
}

func (s *seat) HoldDelivery(_ context.Context, h check.DeliveryHold, ttl time.Duration) (bool, error) {
	if err := s.enter("take"); err != nil {
		return false, err
	}
	defer s.leave()
	name, _, _ := strings.Cut(h.Token, "/")
	if have := s.holder(h.Lane, h.Handler); have != "" && have != h.Token && have != name+"/" {
		return false, nil
	}
	s.outboxFake.lanes[h.Lane].holds[h.Handler] = holdFake{h.Token, time.Now().Add(ttl)}
	return true, nil
}

func (s *seat) KeepDelivery(_ context.Context, h check.DeliveryHold, ttl time.Duration) (bool, error) {
	if err := s.enter("keep"); err != nil {
		return false, err
	}
	defer s.leave()
	if s.holder(h.Lane, h.Handler) != h.Token {
		return false, nil
	}
	s.outboxFake.lanes[h.Lane].holds[h.Handler] = holdFake{h.Token, time.Now().Add(ttl)}
	return true, nil
}

func (s *seat) GiveDelivery(_ context.Context, h check.DeliveryHold, next string, ttl time.Duration) error {
	if err := s.enter("give"); err != nil {
		return err
	}
	defer s.leave()
	if s.holder(h.Lane, h.Handler) != h.Token {
		return nil
	}
	delete(s.outboxFake.lanes[h.Lane].holds, h.Handler)
	if next != "" {
		s.outboxFake.lanes[h.Lane].holds[h.Handler] = holdFake{next + "/", time.Now().Add(ttl)}
	}
	return nil
}

func (s *seat) OpenReader(_ context.Context, lane check.Lane, handler string, known bool) (check.ReaderState, error) {
	if err := s.enter("open"); err != nil {
		return "", err
	}
	defer s.leave()
	l := s.outboxFake.lanes[lane]
	state := check.ReaderThere
	if l.groups[handler] == nil {
		g := &groupFake{read: l.trimmed + len(l.entries)}
		if state = check.ReaderNew; known || l.readers[handler] {
			state, g.read = check.ReaderLost, l.trimmed
		}
		l.groups[handler] = g
	}
	l.readers[handler] = true
	return state, nil
}

func (s *seat) FetchChanges(_ context.Context, req check.ChangeRequest) (page check.ChangePage, err error) {
	if err := s.enter("fetch"); err != nil {
		return page, err
	}
	defer s.leave()
	if s.holder(req.Lane, req.Handler) != req.Token {
		return page, nil
	}
	l := s.outboxFake.lanes[req.Lane]
	g := l.groups[req.Handler]
	if g == nil {
		return page, check.ErrNoReader
	}
	page = check.ChangePage{Mine: true, Now: time.Now().UnixMilli()}
	if req.After != "" {
		for _, sid := range g.pending {
			if before(req.After, sid) && len(page.Entries) < req.Count {
				page.Entries = append(page.Entries, l.entry(sid))
			}
		}
		return page, nil
	}
	if g.read < l.trimmed && req.Count > 0 {
		page.Trimmed, g.read = l.trimmed-g.read, l.trimmed
	}
	for len(page.Entries) < req.Count && g.read < l.trimmed+len(l.entries) {
		e := l.entries[g.read-l.trimmed]
		g.read++
		g.pending = append(g.pending, e.SID)
		page.Entries = append(page.Entries, e)
	}
	page.Left = l.trimmed + len(l.entries) - g.read
	return page, nil
}

// before compares two ids of entries.
func before(a, b string) bool {
	split := func(sid string) (ms, seq int64) {
		_, after, _ := strings.Cut(sid, "-")
		seq, _ = strconv.ParseInt(after, 10, 64) // "0" has one number
		return entryTime(sid), seq
	}
	a1, a2 := split(a)
	b1, b2 := split(b)
	return a1 < b1 || a1 == b1 && a2 < b2
}

func (l *laneFake) entry(sid string) check.ChangeEntry {
	for _, e := range l.entries {
		if e.SID == sid {
			return e
		}
	}
	return check.ChangeEntry{SID: sid}
}

func (s *seat) Change(_ context.Context, lane check.Lane, sid string) (check.ChangeEntry, error) {
	if err := s.enter("change"); err != nil {
		return check.ChangeEntry{}, err
	}
	defer s.leave()
	return s.outboxFake.lanes[lane].entry(sid), nil
}

func (s *seat) News(_ context.Context, from map[check.Lane]string, block time.Duration) (news []check.Lane, err error) {
	for end := time.Now().Add(block); ; <-time.After(250 * time.Millisecond) {
		if err := s.enter("news"); err != nil {
			return nil, err
		}
		for lane, sid := range from {
			l := s.outboxFake.lanes[lane]
			tip := "0-0"
			if n := len(l.entries); n > 0 {
				tip = l.entries[n-1].SID
			}
			if sid == "" || before(sid, tip) {
				news = append(news, lane)
				from[lane] = tip
			}
		}
		s.leave()
		if len(news) > 0 || !time.Now().Before(end) {
			return news, nil
		}
	}
}

func (s *seat) Settle(_ context.Context, h check.DeliveryHold, done check.Settlement) (bool, error) {
	if err := s.enter("settle"); err != nil {
		return false, err
	}
	defer s.leave()
	if s.holder(h.Lane, h.Handler) != h.Token {
		return false, nil
	}
	l := s.outboxFake.lanes[h.Lane]
	l.ack(h.Handler, done.SIDs...)
	if _, ok := l.incidents[done.IncidentID]; ok {
		field := done.IncidentID + "/" + h.Handler
		if _, known := l.incidents[field]; done.Ref != "" || !known {
			l.incidents[field] = done.Ref
		}
	}
	return true, nil
}

func (l *laneFake) ack(handler string, sids ...string) (n int) {
	g := l.groups[handler]
	if g == nil {
		return 0
	}
	before := len(g.pending)
	g.pending = slices.DeleteFunc(g.pending, func(sid string) bool { return slices.Contains(sids, sid) })
	return before - len(g.pending)
}

func (s *seat) Bury(_ context.Context, h check.DeliveryHold, letter check.DeadLetter) (bool, error) {
	if err := s.enter("bury"); err != nil {
		return false, err
	}
	defer s.leave()
	if s.holder(h.Lane, h.Handler) != h.Token {
		return false, nil
	}
	if s.outboxFake.lanes[h.Lane].ack(h.Handler, letter.Entry) > 0 {
		letter.Lane, letter.Handler, letter.At = h.Lane, h.Handler, time.Now().UnixMilli()
		s.letters = append(s.letters, letter)
	}
	return true, nil
}

func (s *seat) Alerts(_ context.Context, lane check.Lane, handler string, ids []string) (out []check.Alert, err error) {
	if err := s.enter("alerts"); err != nil {
		return nil, err
	}
	defer s.leave()
	if lane == s.broken {
		return nil, errors.New("WRONGTYPE")
	}
	l := s.outboxFake.lanes[lane]
	for _, id := range ids {
		ref, known := l.incidents[id+"/"+handler]
		out = append(out, check.Alert{ID: id, Incident: l.incidents[id], Ack: l.incidents[id+"/ack"], Ref: ref, Known: known})
	}
	return out, nil
}

func (s *seat) ScanIncidents(_ context.Context, lane check.Lane, cursor uint64, count int) (out []check.Alert, next uint64, err error) {
	if err := s.enter("scan"); err != nil {
		return nil, 0, err
	}
	defer s.leave()
	var ids []string
	for id := range s.outboxFake.lanes[lane].incidents {
		if strings.Count(id, "/") == 2 {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	end := min(int(cursor)+count, len(ids))
	for _, id := range ids[cursor:end] {
		out = append(out, check.Alert{ID: id, Incident: s.outboxFake.lanes[lane].incidents[id]})
	}
	if end < len(ids) {
		next = uint64(end)
	}
	return out, next, nil
}

func (s *seat) Specs(_ context.Context, lane check.Lane, ids []string) (out []check.Stored, err error) {
	if err := s.enter("specs"); err != nil {
		return nil, err
	}
	defer s.leave()
	l := s.outboxFake.lanes[lane]
	for _, id := range ids {
		out = append(out, check.Stored{ID: id, Spec: l.specs[id], Last: l.last[id]})
	}
	return out, nil
}
