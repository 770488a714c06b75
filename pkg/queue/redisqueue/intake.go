package redisqueue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/check"
)

// intakeConsumer is shared by all schedulers: what one read and did not
// finish is what the next one finds pending.
const intakeConsumer = "intake"

// IntakeLockTTL is how long a scheduler that went silent keeps the intake.
const IntakeLockTTL = 2 * time.Second

var lockScript = script("lock")

// IntakeLock takes the right to apply the intake for IntakeLockTTL, or renews
// it. Losing it is harmless: revisions guard every move.
func (q *Queue) IntakeLock(ctx context.Context, owner string) (bool, error) {
	got, err := q.run(ctx, lockScript, "lock", []string{q.KeyIntakeLock()}, owner, IntakeLockTTL.Milliseconds()).Int()
	return got == 1, err
}

// IntakeUnlock gives the right back at once if the owner has it.
func (q *Queue) IntakeUnlock(ctx context.Context, owner string) error {
	return q.run(ctx, lockScript, "unlock", []string{q.KeyIntakeLock()}, owner, 0).Err()
}

const (
	// maxRequest is from how many bytes on a request is not even read: twice
	// what any that is accepted can have.
	maxRequest = 4 * check.MaxSpec
	// maxRequests bounds what one read of the intake takes, bytes.
	maxRequests = 4 << 20
)

var measureScript = script("measure")

// IntakePending reads requests after the entry id after that a scheduler has
// read and not finished; "0-0" is before all of them. One that is too long to
// be read comes alone, with its size.
func (q *Queue) IntakePending(ctx context.Context, after string, count int) ([]check.IntakeEntry, error) {
	n, giant, err := q.measure(ctx, after, count)
	if err != nil || giant != nil {
		return giant, err
	}
	if n == 0 {
		n = count // what is pending there has no text any more
	}
	return q.intakeFrom(ctx, after, n, 0)
}

// IntakeNew reads requests that no scheduler has read, waiting up to block. One
// that is too long to be read comes alone, with its size, as long as it was
// there before the wait.
func (q *Queue) IntakeNew(ctx context.Context, count int, block time.Duration) ([]check.IntakeEntry, error) {
	n, giant, err := q.measure(ctx, "", count)
	if err != nil || giant != nil {
		return giant, err
	}
	if n == 0 {
		return q.intakeFrom(ctx, ">", 1, block)
	}
	return q.intakeFrom(ctx, ">", n, 0)
}

// measure tells how many requests may be read, or gives the first when it is
// too long.
func (q *Queue) measure(ctx context.Context, after string, count int) (n int, giant []check.IntakeEntry, err error) {
	keys := []string{q.KeyIntake()}
	reply, err := q.words(ctx, measureScript, "measure", keys, GroupSchedulers, after, count, maxRequest, maxRequests)
	if err != nil {
		return 0, nil, err
	}
	if id := toText(reply[1]); id != "" {
		return 0, []check.IntakeEntry{{EntryID: id, Size: int(toInt(reply[2]))}}, nil
	}
	return int(toInt(reply[0])), nil, nil
}

func (q *Queue) intakeFrom(ctx context.Context, from string, count int, block time.Duration) ([]check.IntakeEntry, error) {
	found, err := q.client.XReadGroup(ctx, &redis.XReadGroupArgs{
		Group: GroupSchedulers, Consumer: intakeConsumer, Streams: []string{q.KeyIntake(), from},
		Count: int64(count), Block: readBlock(block),
	}).Result()
	switch {
	case errors.Is(err, redis.Nil) || isTimeout(err):
		return nil, nil
	case isNoGroup(err):
		return nil, q.makeGroup(ctx, q.KeyIntake(), GroupSchedulers)
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", q.KeyIntake(), err)
	}
	var entries []check.IntakeEntry
	for _, s := range found {
		for _, m := range s.Messages {
			entries = append(entries, check.IntakeEntry{EntryID: m.ID, Fields: texts(m.Values)})
		}
	}
	return entries, nil
}

// texts keeps nil nil: a pending entry whose text is gone has no fields.
func texts(values map[string]any) map[string]string {
	if values == nil {
		return nil
	}
	fields := make(map[string]string, len(values))
	for k, v := range values {
		fields[k] = toText(v)
	}
	return fields
}

var logScript = script("log")

// IntakeDone writes verdicts, then acknowledges and deletes their entries.
func (q *Queue) IntakeDone(ctx context.Context, verdicts []check.Verdict) error {
	if len(verdicts) == 0 {
		return nil
	}
	var done []string
	args := []any{KeepIntakeLog}
	for _, v := range verdicts {
		if v.Entry != "" {
			done = append(done, v.Entry)
		}
		if v.Verdict != "" {
			args = append(args, v.Entry, v.Zone, v.ID, v.Op, v.Verdict, v.Reason)
		}
	}
	if len(args) > 1 {
		if err := q.run(ctx, logScript, "write verdicts to", []string{q.KeyIntakeLog()}, args...).Err(); err != nil {
			return err
		}
	}
	if len(done) == 0 {
		return nil
	}
	pipe := q.client.Pipeline()
	pipe.XAck(ctx, q.KeyIntake(), GroupSchedulers, done...)
	pipe.XDel(ctx, q.KeyIntake(), done...)
	if _, err := pipe.Exec(ctx); err != nil {
		return fmt.Errorf("acknowledge requests of %s: %w", q.KeyIntake(), err)
	}
	return nil
}

// Request adds one request to the intake, as field, value, field, value, and
// returns its entry id.
func (q *Queue) Request(ctx context.Context, fields []string) (string, error) {
	id, err := q.client.XAdd(ctx, &redis.XAddArgs{Stream: q.KeyIntake(), Values: fields}).Result()
	if err != nil {
		return "", fmt.Errorf("add a request to %s: %w", q.KeyIntake(), err)
	}
	return id, nil
}
