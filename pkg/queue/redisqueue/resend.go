package redisqueue

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/redpoll/redpoll/pkg/check"
)

// Resending is a change that one handler is to get again.
type Resending struct {
	// IncidentID names the incident, Incident is its text as the caller read it,
	// empty when there was none.
	IncidentID, Incident string
	// Letter is the id of the dead letter that ends by it, empty without one.
	Letter string
	Event  string
}

// ResendOutcome is the answer to one Resending.
type ResendOutcome int64

// The outcomes of a Resending.
const (
	ResendDone     ResendOutcome = iota
	ResendGone                   // there is no such letter any more: somebody was quicker
	ResendConflict               // the incident is not the one that was read: read again
)

var resendScript = script("resend")

// Resend puts changes of a lane into its stream again, for one handler, at most
// a few hundred a call.
func (q *Queue) Resend(ctx context.Context, lane check.Lane, handler string, items []Resending) ([]ResendOutcome, error) {
	if len(items) == 0 {
		return nil, nil
	}
	args := make([]any, 0, 2+4*len(items))
	args = append(args, handler, KeepResults)
	for i := range items {
		args = append(args, items[i].IncidentID, items[i].Incident, items[i].Letter, items[i].Event)
	}
	keys := []string{q.KeyIncidents(lane), q.KeyDead(lane), q.KeyChanges(lane)}
	reply, err := q.words(ctx, resendScript, "resend", keys, args...)
	if err != nil {
		return nil, err
	}
	out := make([]ResendOutcome, len(reply))
	for i, v := range reply {
		out[i] = ResendOutcome(toInt(v))
	}
	return out, nil
}

// Changes reads a page of a lane's changes between two entries, both included;
// "-" and "+" stand for the first and the last, "(" before an id leaves it out.
func (q *Queue) Changes(ctx context.Context, lane check.Lane, from, to string, count int) ([]check.ChangeEntry, error) {
	found, err := q.client.XRangeN(ctx, q.KeyChanges(lane), from, to, int64(count)).Result()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", q.KeyChanges(lane), err)
	}
	out := make([]check.ChangeEntry, len(found))
	for i, m := range found {
		out[i] = check.ChangeEntry{SID: m.ID, Event: toText(m.Values["event"]), For: toText(m.Values["for"])}
	}
	return out, nil
}

// Readers lists the handlers that read a lane's changes, or did once.
func (q *Queue) Readers(ctx context.Context, lane check.Lane) ([]string, error) {
	all, err := q.client.HGetAll(ctx, q.KeyReaders(lane)).Result()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", q.KeyReaders(lane), err)
	}
	return slices.Sorted(maps.Keys(all)), nil
}
