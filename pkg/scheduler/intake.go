package scheduler

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

const (
	// lockTTL is how long the queue's lock of the intake lasts; lockSlack is
	// left of it when repair still begins something.
	lockTTL   = 2 * time.Second
	lockSlack = 500 * time.Millisecond
	// lockRetry is how often another scheduler asks for the lock.
	lockRetry = 500 * time.Millisecond
	// intakeBlock bounds one wait for requests, and so how long a stop takes.
	intakeBlock = 500 * time.Millisecond
	// pendingRetry is how often requests are tried again that could not be
	// applied, since their lane did not answer.
	pendingRetry = time.Second
)

// intakeState is what the intake loop knows between two reads.
type intakeState struct {
	block time.Duration // how long to wait for new ones
	dirty bool          // there may be pending entries
	tried time.Time     // when they were tried last
}

// takeIn applies the intake while this scheduler holds its lock.
func (s *Scheduler) takeIn(ctx, work context.Context) {
	t := s.trouble("intake")
	st := intakeState{block: intakeBlock, dirty: true} // one that died long ago may have left some
	defer s.unlockIntake(work)
	for ctx.Err() == nil {
		mine, err := s.lockIntake(work)
		switch {
		case err != nil:
			t.failed(ctx, err)
			continue
		case !mine:
			st.dirty = true // its holder may die with some in hand
			t.passed(ctx)
			pause(ctx, jitter(lockRetry))
			continue
		}
		switch err := s.takeInOnce(ctx, work, &st); {
		case errors.Is(err, errLockLost):
			st.dirty = true
		case err != nil:
			st.dirty = true
			t.failed(ctx, err)
			continue
		}
		t.passed(ctx)
	}
}

// lockIntake takes or renews the lock and notes until when it is ours.
func (s *Scheduler) lockIntake(ctx context.Context) (bool, error) {
	until := time.Now().Add(lockTTL - lockSlack)
	mine, err := s.q.IntakeLock(ctx, s.owner)
	if err != nil || !mine {
		s.held.Store(0)
		return false, err
	}
	if s.held.Swap(until.UnixNano()) == 0 {
		s.log.InfoContext(ctx, "this scheduler applies the intake now")
	}
	return true, nil
}

// unlockIntake lets another scheduler go on at once. Where it does not succeed
// the lock ends by itself.
func (s *Scheduler) unlockIntake(ctx context.Context) {
	if s.held.Swap(0) == 0 {
		return
	}
	if err := s.q.IntakeUnlock(ctx, s.owner); err != nil {
		s.log.WarnContext(ctx, "intake lock stays until it ends", "err", err)
	}
}

// keepLock renews the lock in good time and tells whether it is still ours.
func (s *Scheduler) keepLock(ctx context.Context) (bool, error) {
	if time.Until(time.Unix(0, s.held.Load())) > lockTTL-2*lockSlack {
		return true, nil
	}
	return s.lockIntake(ctx)
}

// holdsLock tells whether the intake's lock is surely ours.
func (s *Scheduler) holdsLock() bool { return time.Now().UnixNano() < s.held.Load() }

// takeInOnce applies what is pending, when there may be something, and then a
// page of new requests.
func (s *Scheduler) takeInOnce(ctx, work context.Context, st *intakeState) error {
	if st.dirty && time.Since(st.tried) >= pendingRetry {
		st.tried = time.Now()
		left, err := s.takePending(ctx, work)
		if err != nil {
			return err
		}
		st.dirty = left
	}
	entries, err := s.q.IntakeNew(work, s.cfg.Batch, st.block)
	if err != nil {
		return err
	}
	left, err := s.apply(work, entries, false)
	st.dirty = st.dirty || left
	return err
}

// takePending applies every entry that was delivered and not done: to this
// scheduler or, as they share a consumer, to one that died.
func (s *Scheduler) takePending(ctx, work context.Context) (left bool, err error) {
	after := "0-0"
	for ctx.Err() == nil {
		entries, err := s.q.IntakePending(work, after, s.cfg.Batch)
		if err != nil {
			return true, err
		}
		if len(entries) == 0 {
			return left, nil
		}
		after = entries[len(entries)-1].EntryID
		some, err := s.apply(work, entries, true)
		if err != nil {
			return true, err
		}
		left = left || some
	}
	return true, nil
}

// conclude logs verdicts and takes their requests out of the intake.
func (s *Scheduler) conclude(ctx context.Context, verdicts []check.Verdict) error {
	if len(verdicts) == 0 {
		return nil
	}
	err := s.q.IntakeDone(ctx, verdicts)
	if replyCode(err) == wrongType {
		// The log is no stream: the requests go on without one.
		s.log.ErrorContext(ctx, "verdicts are not in the intake's log", "err", err)
		err = s.q.IntakeDone(ctx, silent(verdicts))
	}
	if err != nil {
		return err
	}
	for _, v := range verdicts {
		if v.Verdict == "" {
			continue
		}
		s.hooks.Verdict(v)
		level := slog.LevelDebug
		if v.Verdict == check.VerdictRejected {
			level = slog.LevelInfo
		}
		s.log.Log(ctx, level, "request", "entry", v.Entry, "zone", v.Zone, "check", v.ID, "op", v.Op, "verdict", v.Verdict, "reason", v.Reason)
	}
	return nil
}

// silent gives verdicts that are not logged, only done.
func silent(verdicts []check.Verdict) []check.Verdict {
	out := make([]check.Verdict, len(verdicts))
	for i, v := range verdicts {
		out[i].Entry = v.Entry
	}
	return out
}
