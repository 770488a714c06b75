package scheduler

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// tooOld is the age from which requests are refused: a removed check's
// tombstone, which would refuse them, is kept no longer.
const tooOld = 7 * 24 * time.Hour

// batch is a page of requests that are applied together.
type batch struct {
	s     *Scheduler
	now   time.Time // the server's
	zones map[string]check.Zone
	crew  *crew
	asked bool // the list of workers was read for this batch
	// away are the lanes that did not answer.
	away map[check.Lane]error
}

// errLockLost ends a batch that another scheduler has taken over.
var errLockLost = errors.New("another scheduler applies the intake now")

// apply judges and applies entries, logs the verdicts in their order and takes
// them out of the intake. left tells that some stay, to be tried again: their
// lane does not answer. Requests of one check are applied in order. again says
// that they may have been applied before.
func (s *Scheduler) apply(ctx context.Context, entries []check.IntakeEntry, again bool) (left bool, err error) {
	if len(entries) == 0 {
		return false, nil
	}
	b, err := s.newBatch(ctx)
	if err != nil {
		return true, err
	}
	reqs := make([]*request, len(entries))
	for i, e := range entries {
		if reqs[i], err = b.judge(ctx, e); err != nil {
			return true, err
		}
		reqs[i].again = again
	}
	for _, wave := range waves(reqs) {
		if err := b.applyWave(ctx, wave); err != nil {
			return true, err
		}
	}
	if err := b.stillMine(ctx); err != nil {
		return true, err // its verdicts are the other one's to give
	}
	verdicts := make([]check.Verdict, 0, len(reqs))
	for _, r := range reqs {
		if r.left {
			left = true
			continue
		}
		verdicts = append(verdicts, r.verdict)
	}
	if err := s.conclude(ctx, verdicts); err != nil {
		return true, err
	}
	for _, v := range verdicts {
		delete(s.tries, v.Entry)
	}
	for lane, err := range b.away {
		s.log.ErrorContext(ctx, "requests of a lane wait", "lane", lane.String(), "err", err)
	}
	return left, nil
}

func (s *Scheduler) newBatch(ctx context.Context) (*batch, error) {
	ms, err := s.q.Now(ctx)
	if err != nil {
		return nil, err
	}
	zones, err := s.q.Zones(ctx)
	if err != nil {
		return nil, err
	}
	return &batch{s: s, now: time.UnixMilli(ms), zones: zones, crew: &s.crew, away: map[check.Lane]error{}}, nil
}

// stillMine keeps the lock of the intake while a batch goes on.
func (b *batch) stillMine(ctx context.Context) error {
	mine, err := b.s.keepLock(ctx)
	if err == nil && !mine {
		err = errLockLost
	}
	return err
}

// judge reads one entry and refuses what cannot be applied. Its error is one
// of Redis: the whole batch is tried again.
func (b *batch) judge(ctx context.Context, e check.IntakeEntry) (r *request, err error) {
	r = &request{entry: e.EntryID, verdict: check.Verdict{Entry: e.EntryID}}
	defer func() {
		if p := recover(); p != nil {
			b.s.log.ErrorContext(ctx, "request made a validator panic", "entry", e.EntryID, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			r.reject("a validator panicked over this request: " + fmt.Sprint(p))
			err = nil
		}
	}()
	if e.Size > 0 {
		r.reject(fmt.Sprintf("%d bytes: a request has at most %d; it was not read", e.Size, 2*check.MaxSpec))
		return r, nil
	}
	if e.Fields == nil {
		r.reject("the entry was deleted before it was applied")
		return r, nil
	}
	req, fault := check.ParseRequest(e.Fields)
	r.req = req
	r.verdict.Zone, r.verdict.ID, r.verdict.Op = clean(req.Zone, maxWord), clean(req.ID, maxWord), clean(string(req.Op), maxWord)
	switch {
	case entryMS(e.EntryID) < b.now.Add(-tooOld).UnixMilli():
		r.reject("TOO_OLD: the request is more than 7 days old")
		return r, nil
	case fault != nil:
		r.reject(fault.Error())
		return r, nil
	}
	if r.onDowntime() {
		r.acceptDowntime()
		return r, nil
	}
	r.lane = b.laneOf(req.Zone, req.ID)
	if req.Op != check.OpSet {
		return r, nil
	}
	r.canonical = string(req.Check.Text())
	warnings, fault, err := b.validate(ctx, req.Check)
	if err != nil {
		return nil, err
	}
	r.warnings = warnings
	if fault != nil {
		r.reject(fault.Error())
	}
	return r, nil
}

// laneOf gives the lane that a check belongs to.
func (b *batch) laneOf(zone, id string) check.Lane {
	return b.zones[zone].Home(zone, id)
}

// waves splits requests so that each wave has at most one of a check or a
// downtime, and the requests of each keep their order over the waves. One that
// moves a check is of both its names.
func waves(reqs []*request) [][]*request {
	type name struct{ zone, id string }
	seen := map[name]int{}
	var out [][]*request
	for _, r := range reqs {
		if !r.open() {
			continue
		}
		names := []name{{r.req.Zone, r.req.ID}}
		if r.onDowntime() {
			names[0].zone = "" // they have one list, whatever zone they cover
		}
		if r.req.Op == check.OpMove {
			names = append(names, name{r.req.To, r.req.ID})
		}
		at := 0
		for _, n := range names {
			at = max(at, seen[n])
		}
		if at == len(out) {
			out = append(out, nil)
		}
		out[at] = append(out[at], r)
		for _, n := range names {
			seen[n] = at + 1
		}
	}
	return out
}
