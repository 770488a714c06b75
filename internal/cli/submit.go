package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

const (
	// submitBatch requests go into one pipeline: 100 is nearly all of the
	// gain, more keeps 100,000 of them from waiting for round trips.
	submitBatch = 500
	// submitAhead bounds the requests without a verdict: half of what the log
	// keeps, so that no verdict is trimmed before it is read.
	submitAhead = 5000
	// verdictPoll is the pause between two looks at the log.
	verdictPoll = 10 * time.Millisecond
)

// errNoVerdict says that nobody applies the intake.
var errNoVerdict = errors.New("no scheduler has answered")

// submitter sends requests to the intake and waits for their verdicts.
type submitter struct {
	conn *connection
	// wait is how long the log may stand still before errNoVerdict; 0 means
	// not to wait for verdicts at all.
	wait time.Duration
	// next gives the fields of the requests in order, nil after the last.
	next func() fields
	// verdict is told the answer to the nth request, from 0.
	verdict func(nth int, v check.Verdict)
	// progress is told how many verdicts are there, or without waiting how
	// many requests were sent.
	progress func(done int)

	cursor  string         // the last entry of the log that was read
	open    map[string]int // intake entry -> nth, without a verdict
	sent    int
	done    int
	lastOne string // the entry id of the last request
}

// run sends all requests. It needs no more than XADD on the intake and reads
// of its log, so that a producer's rights are enough.
func (s *submitter) run(ctx context.Context) error {
	s.open = make(map[string]int)
	s.cursor = "0-0"
	client := s.conn.Client()
	last, err := client.XRevRangeN(ctx, s.conn.KeyIntakeLog(), "+", "-", 1).Result()
	if err != nil {
		return fmt.Errorf("read %s: %w", s.conn.KeyIntakeLog(), err)
	}
	if len(last) > 0 {
		s.cursor = last[0].ID
	}
	more, still := true, time.Now()
	for more || len(s.open) > 0 {
		if more && len(s.open) <= submitAhead-submitBatch {
			if more, err = s.send(ctx); err != nil {
				return err
			}
		}
		if s.wait <= 0 {
			s.tell(s.sent)
			clear(s.open)
			continue
		}
		moved, err := s.read(ctx)
		switch {
		case err != nil:
			return err
		case moved:
			still = time.Now()
			s.tell(s.done)
		case time.Since(still) > s.wait:
			return errNoVerdict
		case !more || len(s.open) > submitAhead-submitBatch:
			if err := sleep(ctx, verdictPoll); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *submitter) tell(done int) {
	if s.progress != nil {
		s.progress(done)
	}
}

// send pipelines the next requests and says whether there may be more.
func (s *submitter) send(ctx context.Context) (more bool, err error) {
	pipe := s.conn.Client().Pipeline()
	var replies []interface{ Text() (string, error) }
	for len(replies) < submitBatch {
		f := s.next()
		if f == nil {
			break
		}
		args := []any{"XADD", s.conn.KeyIntake(), "*"}
		for _, word := range f.flat() {
			args = append(args, word)
		}
		replies = append(replies, pipe.Do(ctx, args...))
	}
	if len(replies) == 0 {
		return false, nil
	}
	_, execErr := pipe.Exec(ctx)
	for _, r := range replies {
		entry, err := r.Text()
		if err != nil {
			return false, fmt.Errorf("add a request to %s: %w", s.conn.KeyIntake(), errors.Join(execErr, err))
		}
		s.open[entry] = s.sent
		s.lastOne = entry
		s.sent++
	}
	return len(replies) == submitBatch, nil
}

// read takes a page of the log and says whether there was anything in it: a
// verdict on somebody else's request also shows that a scheduler works.
func (s *submitter) read(ctx context.Context) (moved bool, err error) {
	found, err := s.conn.Client().XRangeN(ctx, s.conn.KeyIntakeLog(), "("+s.cursor, "+", 1000).Result()
	if err != nil {
		return false, fmt.Errorf("read %s: %w", s.conn.KeyIntakeLog(), err)
	}
	for _, m := range found {
		s.cursor = m.ID
		text := func(name string) string { v, _ := m.Values[name].(string); return v }
		nth, ok := s.open[text("entry")]
		if !ok {
			continue
		}
		delete(s.open, text("entry"))
		s.done++
		s.verdict(nth, check.Verdict{
			Entry: text("entry"), Zone: text("zone"), ID: text("id"), Op: text("op"), Verdict: text("verdict"), Reason: text("reason"),
		})
	}
	return len(found) > 0, nil
}

// sleep waits, or returns early with the context's error.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
