package scheduler

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// adoptFound takes specs under care that were written by hand, as if they had
// been requested: one verdict for each text.
func (s *Scheduler) adoptFound(ctx context.Context, lane check.Lane, specs []check.Stored, now time.Time) error {
	if len(specs) == 0 {
		return nil
	}
	zones, err := s.q.Zones(ctx)
	if err != nil {
		return err
	}
	ids := make([]string, len(specs))
	for i, st := range specs {
		ids[i] = st.ID
	}
	stored, err := s.q.Specs(ctx, lane, ids)
	if err != nil {
		return err
	}
	standings, err := s.q.Standings(ctx, lane, ids)
	if err != nil {
		return err
	}
	b := &batch{s: s, now: now, zones: zones, crew: &s.repairs.crew}
	f := find{b: b, lane: lane, here: map[string]check.Verdict{}}
	for i, st := range stored {
		if st.Spec == "" {
			continue // taken out again
		}
		if standings[i].SHA == check.SHA(st.Spec)[:16] {
			continue // a request wrote it since the pass read the spec before it
		}
		if err := f.judge(ctx, st); err != nil {
			return err
		}
	}
	return f.settle(ctx)
}

// find is a page of specs that were written by hand into one lane.
type find struct {
	b         *batch
	lane      check.Lane
	adoptions []check.Adoption
	here      map[string]check.Verdict // of adoptions, by id
	verdicts  []check.Verdict
	refused   []check.RepairItem
}

// judge validates one spec and sorts it: to adopt, to move, to refuse.
func (f *find) judge(ctx context.Context, st check.Stored) error {
	v := check.Verdict{Zone: f.lane.Zone, ID: clean(st.ID, maxWord), Op: string(check.OpSet), Verdict: check.VerdictAccepted}
	c, fault := f.parse(st)
	if fault != nil {
		f.refuse(st, v, fault)
		return nil
	}
	warnings, fault, err := f.validate(ctx, c)
	switch {
	case err != nil:
		return err
	case errors.As(fault, new(*check.UnknownNameError)) && st.Last != "":
		// It ran: some worker has the command, if not within the last hour. The
		// records may have been lost, not the text written.
		warnings = []string{fault.Error()}
	case fault != nil:
		f.refuse(st, v, fault)
		return nil
	}
	r := request{verdict: v, warnings: warnings}
	r.accept()
	if ok, err := f.nameZone(ctx, c, &st); !ok {
		return err
	}
	if home := f.b.laneOf(c.ZoneName(), c.ID); home != f.lane {
		return f.moveHome(ctx, home, c, st, r.verdict)
	}
	a := f.adoption(c, st)
	f.adoptions = append(f.adoptions, a)
	f.here[a.ID] = r.verdict
	return nil
}

// parse reads a spec that stands in a lane's registry.
func (f *find) parse(st check.Stored) (*check.Check, error) {
	c, err := check.Parse([]byte(st.Spec))
	if err != nil {
		return nil, err
	}
	if c.ID != st.ID {
		return nil, fmt.Errorf("id: the spec says %s, it stands in specs under %q", c.ID, clean(st.ID, maxWord))
	}
	if c.Zone == "" {
		c.Zone = f.lane.Zone // whose registry it stands in
	}
	return c, nil
}

// nameZone writes the zone into a spec that stands in another zone's registry
// than the default one's and names none: its text is to say where it runs.
// False: the text was changed meanwhile.
func (f *find) nameZone(ctx context.Context, c *check.Check, st *check.Stored) (bool, error) {
	if old, err := check.Parse([]byte(st.Spec)); err != nil || old.ZoneName() == c.ZoneName() {
		return true, nil
	}
	text := string(c.Text())
	ok, err := f.b.s.q.ReplaceSpec(ctx, f.lane, st.ID, st.Spec, text)
	st.Spec = text
	return ok, err
}

// validate is the batch's, safe from validators that panic.
func (f *find) validate(ctx context.Context, c *check.Check) (warnings []string, fault, err error) {
	defer func() {
		if p := recover(); p != nil {
			fault = fmt.Errorf("a validator panicked over this spec: %v", p)
		}
	}()
	return f.b.validate(ctx, c)
}

// adoption makes the adoption of a spec where it stands. A check that ran
// before goes to its next slot, another one runs now.
func (f *find) adoption(c *check.Check, st check.Stored) check.Adoption {
	sha := check.SHA(st.Spec)
	return check.Adoption{
		ID: st.ID, Spec: st.Spec, SHA: sha, OldSHA: sha, Paused: c.Paused,
		First: check.First(c, f.b.now, st.Last != "").UnixMilli(),
	}
}

func (f *find) refuse(st check.Stored, v check.Verdict, fault error) {
	r := request{verdict: v}
	r.reject("spec in " + f.lane.String() + ": " + fault.Error())
	f.verdicts = append(f.verdicts, r.verdict)
	f.refused = append(f.refused, check.RepairItem{ID: st.ID, SHA: check.SHA(st.Spec), Bad: true})
}

// moveHome brings a spec into the lane where it belongs. It is put there before
// it is dropped here: a crash in between leaves both, never none.
func (f *find) moveHome(ctx context.Context, home check.Lane, c *check.Check, st check.Stored, v check.Verdict) error {
	q := f.b.s.q
	v.Zone = home.Zone
	if _, ok := f.b.zones[home.Zone]; !ok {
		if err := q.EnterZone(ctx, home.Zone); err != nil {
			return err
		}
		f.b.s.lanes.soon()
	}
	put, err := q.PutSpec(ctx, home, st.ID, st.Spec)
	if err != nil {
		return err
	}
	if !put {
		there, err := q.Specs(ctx, home, []string{st.ID})
		if err != nil {
			return err
		}
		if there[0].Spec != st.Spec {
			f.refuse(st, v, fmt.Errorf("the check belongs into %s, and has another spec there: change that one", home))
			return nil
		}
	}
	out, err := q.Adopt(ctx, home, []check.Adoption{f.adoption(c, st)})
	if err != nil {
		return err
	}
	if out[0] == check.AdoptNew || out[0] == check.AdoptChanged {
		f.b.s.found(ctx, f.lane, check.Finding{ID: st.ID, Kind: kindMoved})
		f.verdicts = append(f.verdicts, v)
	}
	return q.DropSpec(ctx, f.lane, st.ID, st.Spec)
}

// settle adopts and refuses. The verdict on a refused text comes first: the
// mark on the record keeps it from being given again.
func (f *find) settle(ctx context.Context) error {
	s := f.b.s
	if len(f.adoptions) > 0 {
		out, err := s.q.Adopt(ctx, f.lane, f.adoptions)
		if err != nil {
			return err
		}
		for i, a := range f.adoptions {
			if out[i] != check.AdoptNew && out[i] != check.AdoptChanged {
				continue // another hand was faster: the next pass sees what it did
			}
			s.found(ctx, f.lane, check.Finding{ID: a.ID, Kind: check.FindingHand})
			f.verdicts = append(f.verdicts, f.here[a.ID])
		}
	}
	if err := s.conclude(ctx, f.verdicts); err != nil {
		return err
	}
	if len(f.refused) == 0 {
		return nil
	}
	_, err := s.q.Repair(ctx, f.lane, f.refused, true)
	return err
}
