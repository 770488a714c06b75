package crash_test

import "github.com/redpoll/redpoll/pkg/check"

// late does what a scheduler does that was slow: it carries all frozen checks
// once more. Those that have arrived meanwhile are kept as they are, of which
// there is one at least.
func (s *travel) late() {
	kept := 0
	for lane, l := range s.watch.look() {
		var items []check.Freezing
		for id, rec := range l.frozen() {
			items = append(items, check.Freezing{ID: id, SHA: check.SHA(l.specs[id]), To: rec.Way.Lane})
		}
		found, err := s.q.Freeze(s.t.Context(), lane, items) // changes nothing of those that are frozen
		s.must(err)
		for _, f := range found {
			kept += s.carryLate(lane, f)
		}
	}
	if kept == 0 {
		s.t.Error("no check was carried once more that had arrived")
	}
}

// carryLate carries one check. It says 1 if it had arrived before.
func (s *travel) carryLate(from check.Lane, f check.Frozen) (kept int) {
	there, err := s.q.Standings(s.t.Context(), f.To, []string{f.ID})
	s.must(err)
	if kind := there[0].Kind; kind != check.StandsHere && kind != check.StandsFrozen || check.CompareRevs(there[0].Rev, f.Rev) <= 0 {
		return 0 // others are to let it arrive
	}
	cargo, err := s.q.Cargo(s.t.Context(), from, []check.Frozen{f}, []string{"h"})
	s.must(err)
	out, err := s.q.Arrive(s.t.Context(), f.To, cargo)
	s.must(err)
	if out[0] != check.MoveKept {
		s.t.Errorf("%s, that has come from %s to %s, comes once more: %s", f.ID, from, f.To, out[0])
		s.watch.tell(f.ID)
	}
	return 1
}
