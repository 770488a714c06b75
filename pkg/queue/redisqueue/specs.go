package redisqueue

import (
	"context"
	"fmt"

	"github.com/redpoll/redpoll/pkg/check"
)

// Specs reads what a lane holds of checks, one answer for each id. A spec that is
// there has its last record beside it, also when the check leaves the lane
// meanwhile: that is read first.
func (q *Queue) Specs(ctx context.Context, lane check.Lane, ids []string) ([]check.Stored, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	pipe := q.client.Pipeline()
	lasts := pipe.HMGet(ctx, q.KeyLast(lane), ids...)
	specs := pipe.HMGet(ctx, q.KeySpecs(lane), ids...)
	_, err := pipe.Exec(ctx)
	switch { // the key is named: it may be of another type
	case specs.Err() != nil:
		return nil, fmt.Errorf("read %s: %w", q.KeySpecs(lane), specs.Err())
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", q.KeyLast(lane), err)
	}
	out := make([]check.Stored, len(ids))
	for i, id := range ids {
		out[i] = check.Stored{ID: id, Spec: toText(specs.Val()[i]), Last: toText(lasts.Val()[i])}
	}
	return out, nil
}

// ScanSpecs reads a page of the registry, about count specs; cursor is 0 at
// the start, next is 0 at the end. A spec may come twice.
func (q *Queue) ScanSpecs(ctx context.Context, lane check.Lane, cursor uint64, count int) (specs []check.Stored, next uint64, err error) {
	pairs, next, err := q.client.HScan(ctx, q.KeySpecs(lane), cursor, "", int64(count)).Result()
	if err != nil {
		return nil, 0, fmt.Errorf("scan %s: %w", q.KeySpecs(lane), err)
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		specs = append(specs, check.Stored{ID: pairs[i], Spec: pairs[i+1]})
	}
	return specs, next, nil
}

// PutSpec writes a spec that stands in the wrong lane into the lane where it
// belongs, unless there is one, and DropSpec takes it out of the wrong one, if
// it is still the same text. Repair adopts it in its new place.
func (q *Queue) PutSpec(ctx context.Context, lane check.Lane, id, spec string) (bool, error) {
	put, err := q.client.HSetNX(ctx, q.KeySpecs(lane), id, spec).Result()
	if err != nil {
		return false, fmt.Errorf("put spec %s into lane %s: %w", id, lane, err)
	}
	return put, nil
}

var dropScript = script("drop")

// DropSpec removes a spec if its text is still spec.
func (q *Queue) DropSpec(ctx context.Context, lane check.Lane, id, spec string) error {
	return q.run(ctx, dropScript, "drop", []string{q.KeySpecs(lane)}, id, spec).Err()
}

var replaceScript = script("replace")

// ReplaceSpec writes another text in the place of a spec if that is still old.
// Like a text that was written by hand it is adopted afterwards.
func (q *Queue) ReplaceSpec(ctx context.Context, lane check.Lane, id, old, spec string) (bool, error) {
	n, err := q.run(ctx, replaceScript, "replace", []string{q.KeySpecs(lane)}, id, old, spec).Int()
	return n == 1, err
}
