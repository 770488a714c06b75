package model_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// snapshot is all that a lane contains, at one instant.
type snapshot struct {
	now       int64
	specs     map[string]string
	records   map[string]string // as text
	runs      map[string]redisqueue.Record
	due       map[string]float64
	last      map[string]string
	entries   map[string]readyEntry // by entry id
	pending   map[string]pendingEntry
	delivered string // the group's latest; empty: there is no group
	results   []string
	newest    string // entry id of the latest of results
	total     int    // of results
	incidents map[string]string
}

type readyEntry struct {
	id      string
	planned int64
}

type pendingEntry struct {
	consumer string
	idle     int64
}

// lookScript reads everything in one step.
var lookScript = redis.NewScript(`
local t = redis.call('TIME')
local delivered, pending = '', {}
local groups = redis.pcall('XINFO', 'GROUPS', KEYS[3])
for _, g in ipairs(groups.err and {} or groups) do
  if g[2] == 'workers' then
    delivered = g[8]
    pending = redis.call('XPENDING', KEYS[3], 'workers', '-', '+', 10000)
  end
end
return {
  t[1] * 1000 + math.floor(t[2] / 1000),
  redis.call('HGETALL', KEYS[1]),
  redis.call('ZRANGE', KEYS[2], 0, -1, 'WITHSCORES'),
  redis.call('XRANGE', KEYS[3], '-', '+'),
  redis.call('HGETALL', KEYS[4]),
  redis.call('HGETALL', KEYS[5]),
  redis.call('HGETALL', KEYS[6]),
  redis.call('XRANGE', KEYS[7], ARGV[1], '+'),
  delivered, pending, redis.call('XLEN', KEYS[7]),
}`)

// look reads what Redis contains now.
func (w *world) look() snapshot {
	w.t.Helper()
	keys := []string{
		w.q.KeySpecs(lane), w.q.KeyDue(lane), w.q.KeyReady(lane), w.q.KeyRuns(lane), w.q.KeyLast(lane),
		w.q.KeyIncidents(lane), w.q.KeyResults(lane),
	}
	from := w.seen
	if from != "-" {
		from = "(" + from
	}
	reply, err := lookScript.Run(w.t.Context(), w.q.Client(), keys, from).Slice()
	w.must(err)
	s := snapshot{
		now: reply[0].(int64), specs: pairs(reply[1]), records: pairs(reply[4]), last: pairs(reply[5]),
		runs: map[string]redisqueue.Record{}, due: map[string]float64{},
		entries: map[string]readyEntry{}, pending: map[string]pendingEntry{}, delivered: reply[8].(string), newest: w.seen, total: int(reply[10].(int64)),
	}
	for id, text := range pairs(reply[2]) {
		s.due[id], err = strconv.ParseFloat(text, 64)
		w.must(err)
	}
	for id, text := range s.records {
		if r, err := redisqueue.ParseRecord(text); err == nil {
			s.runs[id] = r
		}
	}
	for _, e := range reply[3].([]any) {
		f := pairs(e.([]any)[1])
		planned, _ := strconv.ParseInt(f["due"], 10, 64)
		s.entries[e.([]any)[0].(string)] = readyEntry{f["id"], planned}
	}
	for _, p := range reply[9].([]any) {
		p := p.([]any)
		s.pending[p[0].(string)] = pendingEntry{p[1].(string), p[2].(int64)}
	}
	for _, e := range reply[7].([]any) {
		s.newest = e.([]any)[0].(string)
		s.results = append(s.results, pairs(e.([]any)[1])["event"])
	}
	s.incidents = pairs(reply[6])
	return s
}

func pairs(v any) map[string]string {
	list := v.([]any)
	out := make(map[string]string, len(list)/2)
	for i := 0; i+1 < len(list); i += 2 {
		out[list[i].(string)] = list[i+1].(string)
	}
	return out
}

// held gives the ids of all pending entries, in order.
func (s *snapshot) held() []string {
	return slices.SortedFunc(maps.Keys(s.pending), func(a, b string) int {
		if sidBefore(a, b) {
			return -1
		}
		return 1
	})
}

// current tells whether an entry is the one of its check's record.
func (s *snapshot) current(sid string) bool {
	r, ok := s.runs[s.entries[sid].id]
	return ok && r.SID == sid
}

// reachable tells whether an entry was not delivered yet, or is pending.
func (s *snapshot) reachable(sid string) bool {
	if _, ok := s.pending[sid]; ok || s.delivered == "" {
		return true
	}
	return sidBefore(s.delivered, sid)
}

// sidBefore compares ids of stream entries.
func sidBefore(a, b string) bool {
	am, as := splitSID(a)
	bm, bs := splitSID(b)
	return am < bm || am == bm && as < bs
}

func splitSID(sid string) (ms, seq int64) {
	a, b, _ := strings.Cut(sid, "-")
	ms, _ = strconv.ParseInt(a, 10, 64)
	seq, _ = strconv.ParseInt(b, 10, 64)
	return ms, seq
}

// String shows all but the time: two snapshots between which nothing was
// changed are equal as text.
func (s snapshot) String() string {
	pend := map[string]string{}
	for sid, p := range s.pending {
		pend[sid] = p.consumer
	}
	return fmt.Sprintf("specs %q\n due %v\n runs %q\n last %q\n ready %v\n pending %v, delivered %s\n incidents %q\n %d results to %s",
		s.specs, s.due, s.records, s.last, s.entries, pend, s.delivered, s.incidents, s.total, s.newest)
}
