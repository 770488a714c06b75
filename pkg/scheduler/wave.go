package scheduler

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/redpoll/redpoll/pkg/check"
)

// maxConflicts is how often a request is tried while others change its check.
const maxConflicts = 5

// applyWave applies requests of distinct checks, each in the lane where its
// check stands. Its error is about the lock: the rest is another scheduler's.
func (b *batch) applyWave(ctx context.Context, wave []*request) error {
	for range maxConflicts {
		b.find(ctx, wave)
		if err := b.applyLanes(ctx, stillOpen(wave)); err != nil {
			return err
		}
		wave = slices.DeleteFunc(wave, func(r *request) bool { return !r.moved })
		if len(wave) == 0 {
			return nil
		}
	}
	for _, r := range wave { // it moves faster than we look
		r.moved, r.left = false, true
	}
	return nil
}

// applyLanes applies requests lane by lane.
func (b *batch) applyLanes(ctx context.Context, wave []*request) error {
	var order []check.Lane
	var downtimes []*request
	groups := map[check.Lane][]*request{}
	for _, r := range wave {
		if r.onDowntime() {
			downtimes = append(downtimes, r)
			continue
		}
		if _, ok := groups[r.lane]; !ok {
			order = append(order, r.lane)
		}
		groups[r.lane] = append(groups[r.lane], r)
	}
	for _, lane := range order {
		if err := b.stillMine(ctx); err != nil {
			return err
		}
		if err := b.applyLane(ctx, lane, groups[lane]); err != nil {
			return err
		}
	}
	return b.applyDowntimes(ctx, downtimes)
}

// applyLane applies requests of distinct checks of one lane. When all together
// fail they are tried one by one, so that none takes the others with it.
func (b *batch) applyLane(ctx context.Context, lane check.Lane, reqs []*request) error {
	err := b.away[lane]
	if err == nil {
		err = b.tryLane(ctx, lane, reqs)
	}
	if err == nil || errors.Is(err, errLockLost) {
		return err
	}
	code := replyCode(err)
	if reqs = stillOpen(reqs); len(reqs) > 1 && code != "" {
		for _, r := range reqs {
			if err := b.applyLane(ctx, lane, []*request{r}); err != nil {
				return err
			}
		}
		return nil
	}
	if code == "" {
		b.away[lane] = err
	}
	b.leave(ctx, reqs, err)
	return nil
}

func (b *batch) tryLane(ctx context.Context, lane check.Lane, reqs []*request) error {
	if err := b.enter(ctx, lane, reqs); err != nil {
		return err
	}
	for range maxConflicts {
		if err := b.step(ctx, lane, reqs); err != nil {
			return err
		}
		if reqs = stillOpen(reqs); len(reqs) == 0 {
			return nil
		}
		// Another hand was faster, or the zone is being split: look again.
		zones, err := b.s.q.Zones(ctx)
		if err != nil {
			return err
		}
		for _, r := range reqs {
			was := b.laneOf(r.req.Zone, r.req.ID)
			r.moved = zones[r.req.Zone].Home(r.req.Zone, r.req.ID) != was
		}
		b.zones = zones
		reqs = stillOpen(reqs)
	}
	for _, r := range reqs {
		r.reject("the check was changed by others while this was applied, five times: send it again")
	}
	return nil
}

// enter makes a zone known when its first check comes.
func (b *batch) enter(ctx context.Context, lane check.Lane, reqs []*request) error {
	if b.zones[lane.Zone].Partitions > 0 {
		return nil
	}
	wanted := false
	for _, r := range reqs {
		wanted = wanted || r.req.Op == check.OpSet
	}
	if !wanted {
		return nil
	}
	if err := b.s.q.EnterZone(ctx, lane.Zone); err != nil {
		return err
	}
	zones, err := b.s.q.Zones(ctx)
	if err != nil {
		return err
	}
	b.zones = zones
	b.s.lanes.soon()
	if zones[lane.Zone].Partitions == 0 { // junk stands in its place
		return b.s.q.RestoreZone(ctx, lane.Zone, check.Zone{Version: 1, Partitions: 1})
	}
	return nil
}

// step tries each request once; those in conflict stay open.
func (b *batch) step(ctx context.Context, lane check.Lane, reqs []*request) error {
	ids := make([]string, len(reqs))
	for i, r := range reqs {
		ids[i] = r.req.ID
	}
	stored, err := b.s.q.Specs(ctx, lane, ids)
	if err != nil {
		return err
	}
	if err := b.elsewhere(ctx, lane, reqs, stored); err != nil {
		return err
	}
	var adoptions []check.Adoption
	var adopting []*request
	for i, r := range reqs {
		if !r.open() {
			continue
		}
		switch r.req.Op {
		case check.OpSet:
			adoptions, adopting = append(adoptions, b.set(r, stored[i])), append(adopting, r)
		case check.OpPause, check.OpResume:
			if a, ok := b.pause(r, stored[i]); ok {
				adoptions, adopting = append(adoptions, a), append(adopting, r)
			}
		case check.OpMove:
			a, ok, err := b.move(ctx, lane, r, stored[i])
			if err != nil {
				return err
			}
			if ok {
				adoptions, adopting = append(adoptions, a), append(adopting, r)
			}
		}
	}
	if len(adoptions) > 0 {
		out, err := b.s.q.Adopt(ctx, lane, adoptions)
		if err != nil {
			return err
		}
		b.send(ctx, lane, adopting, out)
		for i, r := range adopting {
			r.conclude(out[i])
		}
	}
	for i, r := range reqs {
		if err := b.single(ctx, lane, r, stored[i]); err != nil {
			return err
		}
	}
	return nil
}

// single applies the operations that go one by one.
func (b *batch) single(ctx context.Context, lane check.Lane, r *request, st check.Stored) error {
	if !r.open() {
		return nil
	}
	switch r.req.Op {
	case check.OpDelete, check.OpRun, check.OpAck, check.OpUnack:
	default:
		return nil
	}
	if err := b.stillMine(ctx); err != nil {
		return err
	}
	var out check.AdoptOutcome
	var err error
	switch r.req.Op {
	case check.OpDelete:
		out, err = b.s.q.Remove(ctx, lane, removal(lane, st, r.entry, b.now))
	case check.OpRun:
		out, err = b.s.q.RunNow(ctx, lane, r.req.ID, r.entry)
		if err == nil && out == check.AdoptMissing && st.Spec != "" {
			r.reject("the spec of check " + r.req.ID + " was written by hand and is not taken over: it was refused, or waits for the next pass of repair")
		}
	case check.OpAck, check.OpUnack:
		out, err = b.ack(ctx, lane, r, st)
	}
	if err == nil && r.open() {
		r.conclude(out)
	}
	return err
}

func stillOpen(reqs []*request) []*request {
	var out []*request
	for _, r := range reqs {
		if r.open() {
			out = append(out, r)
		}
	}
	return out
}

// How often a request is tried, about once a second, before it is rejected
// since its lane fails.
const (
	triesAway  = 60 // no answer, or an answer that passes: loading, failover
	triesError = 5  // the script itself fails over this request
)

// leave keeps requests in the intake for another try, or rejects them when
// that would hold up the intake for ever.
func (b *batch) leave(ctx context.Context, reqs []*request, err error) {
	limit := triesAway
	switch replyCode(err) {
	case wrongType:
		limit = 1
		b.s.log.ErrorContext(ctx, "a key has the wrong type", "err", err)
	case "ERR":
		limit = triesError
	}
	for _, r := range reqs {
		b.s.tries[r.entry]++
		if b.s.tries[r.entry] >= limit {
			r.reject("could not be applied: " + err.Error())
			continue
		}
		r.left = true
	}
}

// wrongType begins the answer of Redis about a key that somebody made something
// else of.
const wrongType = "WRONGTYPE"

// replyCode gives the first word of an error that Redis itself answered,
// empty for any other.
func replyCode(err error) string {
	var reply interface {
		error
		RedisError()
	}
	if !errors.As(err, &reply) {
		return ""
	}
	code, _, _ := strings.Cut(reply.Error(), " ")
	return code
}
