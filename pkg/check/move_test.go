package check

import "testing"

// What stands in a lane shows that a frozen check has come there only if it is
// not older than the frozen one.
func TestArrived(t *testing.T) {
	t.Parallel()
	kinds := map[string]StandingKind{
		"nothing": StandsNot, "here": StandsHere, "frozen": StandsFrozen, "moved": StandsMoved, "away": StandsAway,
		"expected": StandsExpected, "removed": StandsRemoved,
	}
	for _, tt := range []struct {
		name               string
		older, same, newer bool
	}{
		{"nothing", false, false, false},
		{"here", false, true, true},
		{"removed", false, true, true},
		{"frozen", false, false, true}, // the same: a binary left it that did not raise the revision
		{"moved", false, false, true},
		{"away", false, false, true},
		{"expected", false, false, false},
	} {
		for rev, want := range map[string]bool{"7-0.1": tt.older, "7-0.2": tt.same, "7-0.10": tt.newer} {
			st := Standing{Kind: kinds[tt.name], Rev: rev}
			if got := st.Arrived("7-0.2"); got != want {
				t.Errorf("%s at %s: Arrived(7-0.2) = %v, want %v", tt.name, rev, got, want)
			}
		}
	}
}
