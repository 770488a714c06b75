package redisqueue

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/check"
)

// Record is a run record as people and tests read it; lua/prelude.lua says
// what the words mean. Scripts alone write them.
type Record struct {
	// State is waiting, queued, leased, done, removed or bad; of a check that
	// moves between lanes frozen, moved or expected; empty: none.
	State     string
	Paused    bool
	Again     bool
	Void      bool
	Planned   int64
	SID       string
	Owner     string
	Expiry    int64
	Crashes   int
	Committed string
	Rev       string
	SHA       string
	First     int64
	// Way says where a check goes, went or comes from that moves.
	Way Way
}

var recordStates = map[string]string{
	"w": "waiting", "q": "queued", "l": "leased", "d": "done", "t": "removed", "b": "bad",
}

var wayStates = map[byte]string{
	'w': "frozen", 'p': "frozen", 'b': "frozen", 'm': "moved", 'z': "moved", 'c': "expected",
}

// recordForm is what lua/prelude.lua demands of each word.
var recordForm = regexp.MustCompile(`^[wqldtb] [pav-]{1,3} \d{1,15} (-|\d{1,19}-\d{1,19}) [^ ]+ \d{1,15} \d{1,9} \d+-\d+\.?\d* [^ ]+ [^ ]+ \d{1,15}$`)

// fits tells whether words go together, as lua/prelude.lua sees it.
func fits(state, flags string, queued, owned bool) bool {
	switch state {
	case "l":
		return queued && owned
	case "q":
		return queued && !owned && (flags == "-" || flags == "p")
	case "w":
		return !queued && !owned && (flags == "-" || flags == "p")
	case "t":
		return queued == owned && flags == "-"
	}
	return !queued && !owned && flags == "-"
}

// ParseRecord reads a run record. The error is for texts that the scripts call
// a bad record.
func ParseRecord(text string) (Record, error) {
	w := strings.Split(text, " ")
	if !recordForm.MatchString(text) || len(w[7]) > 60 || !fits(w[0], w[1], w[3] != "-", w[4] != "-") {
		return Record{}, fmt.Errorf("run record %.60q: want eleven words that go together", text)
	}
	r := Record{
		State: recordStates[w[0]], Paused: strings.Contains(w[1], "p"), Again: strings.Contains(w[1], "a"),
		Void: strings.Contains(w[1], "v"), SID: dash(w[3]), Owner: dash(w[4]), Rev: w[7], Committed: dash(w[8]), SHA: dash(w[9]),
	}
	var errs [4]error
	if w, ok := parseWay(w[8]); ok && (r.State == "bad" || r.State == "removed") {
		r.Way, r.State = w, wayStates[w.Kind]
		r.Committed = dash(r.Committed[strings.LastIndexByte(r.Committed, '/')+1:])
	}
	r.Planned, errs[0] = strconv.ParseInt(w[2], 10, 64)
	r.Expiry, errs[1] = strconv.ParseInt(w[5], 10, 64)
	r.Crashes, errs[2] = strconv.Atoi(w[6])
	r.First, errs[3] = strconv.ParseInt(w[10], 10, 64)
	for _, err := range errs {
		if err != nil {
			return Record{}, fmt.Errorf("run record %.60q: %w", text, err)
		}
	}
	return r, nil
}

func dash(s string) string {
	if s == "-" {
		return ""
	}
	return s
}

// Records reads run records of checks, one answer for each id: the zero value
// where there is none, state "unreadable" where it is junk.
func (q *Queue) Records(ctx context.Context, lane check.Lane, ids []string) ([]Record, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	found, err := q.client.HMGet(ctx, q.KeyRuns(lane), ids...).Result()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", q.KeyRuns(lane), err)
	}
	out := make([]Record, len(ids))
	for i := range ids {
		out[i] = readRecord(toText(found[i]))
	}
	return out, nil
}

func readRecord(text string) Record {
	if text == "" {
		return Record{}
	}
	r, err := ParseRecord(text)
	if err != nil {
		r.State = "unreadable"
	}
	return r
}

// Place is where a check stands right now.
type Place struct {
	check.Stored
	Record Record
	// Due is the due time of a waiting check, unix ms, 0 when it is not due.
	Due int64
}

// Places reads specs, last records, run records and due times of checks. The
// parts are read one after the other, not atomically.
func (q *Queue) Places(ctx context.Context, lane check.Lane, ids []string) ([]Place, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	stored, err := q.Specs(ctx, lane, ids)
	if err != nil {
		return nil, err
	}
	pipe := q.client.Pipeline()
	runs := pipe.HMGet(ctx, q.KeyRuns(lane), ids...)
	due := make([]*redis.FloatCmd, len(ids))
	for i, id := range ids {
		due[i] = pipe.ZScore(ctx, q.KeyDue(lane), id)
	}
	if cmds, err := pipe.Exec(ctx); err != nil && err != redis.Nil { //nolint:errorlint // go-redis returns it as it is
		return nil, fmt.Errorf("read places in lane %s: %w", lane, named(cmds, err))
	}
	out := make([]Place, len(ids))
	for i := range ids {
		out[i] = Place{Stored: stored[i], Record: readRecord(toText(runs.Val()[i])), Due: int64(due[i].Val())}
	}
	return out, nil
}
