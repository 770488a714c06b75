package redisqueue

import (
	"context"
	"fmt"

	"github.com/redpoll/redpoll/pkg/check"
)

var fetchScript = script("fetch")

// FetchChanges reads changes for a handler. A lane whose stream or group is
// lost gives check.ErrNoReader: OpenReader makes them anew.
func (q *Queue) FetchChanges(ctx context.Context, req check.ChangeRequest) (page check.ChangePage, err error) {
	after := req.After
	if after == "" {
		after = ">"
	}
	keys := []string{q.KeyDeliver(req.Lane, req.Handler), q.KeyChanges(req.Lane), q.KeyReaders(req.Lane)}
	reply, err := q.words(ctx, fetchScript, "fetch", keys, req.Token, req.Handler, ConsumerDeliver, after, req.Count)
	switch {
	case isNoGroup(err) || isNoKey(err):
		return page, fmt.Errorf("changes of lane %s for %s: %w", req.Lane, req.Handler, check.ErrNoReader)
	case err != nil:
		return page, err
	case len(reply) < 5:
		return page, nil // not the caller's any more
	}
	entries, _ := reply[4].([]any)
	page = check.ChangePage{Mine: true, Now: toInt(reply[1]), Left: int(toInt(reply[2])), Trimmed: int(toInt(reply[3]))}
	for _, e := range entries {
		page.Entries = append(page.Entries, changeEntry(e))
	}
	return page, nil
}

// changeEntry reads {id, {field, value, ...}}; an entry that is gone has no fields.
func changeEntry(v any) (e check.ChangeEntry) {
	pair, _ := v.([]any)
	if len(pair) == 0 {
		return e
	}
	e.SID = toText(pair[0])
	if len(pair) < 2 {
		return e
	}
	values, _ := pair[1].([]any)
	for i := 0; i+1 < len(values); i += 2 {
		switch toText(values[i]) {
		case "event":
			e.Event = toText(values[i+1])
		case "for":
			e.For = toText(values[i+1])
		}
	}
	return e
}

// Change reads one entry of a lane's changes; without an event when it is gone.
func (q *Queue) Change(ctx context.Context, lane check.Lane, sid string) (check.ChangeEntry, error) {
	found, err := q.client.XRange(ctx, q.KeyChanges(lane), sid, sid).Result()
	if err != nil {
		return check.ChangeEntry{}, fmt.Errorf("read entry %s of %s: %w", sid, q.KeyChanges(lane), err)
	}
	e := check.ChangeEntry{SID: sid}
	if len(found) > 0 {
		e.Event, e.For = toText(found[0].Values["event"]), toText(found[0].Values["for"])
	}
	return e, nil
}
