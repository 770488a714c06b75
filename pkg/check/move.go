package check

import (
	"cmp"
	"strings"
)

// A check moves between lanes in three steps: it is frozen where it is, taken
// in where it goes, and let go some time later. Only the last step removes
// anything, so a process may die between any two of them.

// Freezing asks for a check to be taken out of the schedule.
type Freezing struct {
	ID string
	// SHA is the sha1 of the spec that the caller read, in hex.
	SHA string
	// To is where the check goes. The zero value: it stays after all.
	To Lane
}

// Frozen is the answer to a Freezing.
type Frozen struct {
	ID      string
	Outcome MoveOutcome
	// Record is the record of a check that is frozen; To is where it goes,
	// Since when it was frozen, unix ms. What was frozen goes where it was sent
	// first, whatever the Freezing says.
	Record string
	To     Lane
	Since  int64
	// Rev is the revision, SHA the first 16 hex digits of the sha1 of the spec
	// that the record is of.
	Rev, SHA string
	// Now is the lane's clock, unix ms.
	Now int64
}

// Cargo is a frozen check with all that goes with it.
type Cargo struct {
	Frozen
	Spec, Last string
	// Incidents are fields and values: the open incident and what stands
	// beside it.
	Incidents []string
}

// Departure lets a check go that has arrived.
type Departure struct {
	Cargo
	// Away: it left the zone.
	Away bool
}

// MoveOutcome is the answer to one step of a move.
type MoveOutcome string

// The outcomes of freezing.
const (
	MoveFrozen   MoveOutcome = "frozen"   // out of the schedule, now or by an earlier call
	MoveBusy     MoveOutcome = "busy"     // queued or running: it is frozen when it is due next
	MoveStays    MoveOutcome = "stays"    // as was asked
	MoveMissing  MoveOutcome = "missing"  // there is no such check here
	MoveConflict MoveOutcome = "conflict" // the spec is not the one that was read
	MoveBad      MoveOutcome = "bad"      // a record could not be read; repair will mend it
)

// The outcomes of arriving and departing; MoveBusy, MoveBad and MoveConflict
// are others.
const (
	MoveTaken  MoveOutcome = "taken"  // it is here now
	MoveKept   MoveOutcome = "kept"   // it was here, or newer word of it
	MoveBehind MoveOutcome = "behind" // it is here with an older spec, which stays
	MoveGone   MoveOutcome = "gone"   // it is gone from here
)

// Standing is what a lane knows of a check.
type Standing struct {
	Kind StandingKind
	// Lane is the other lane that the record names.
	Lane Lane
	// Rev is the revision, Until when a tombstone goes, unix ms.
	Rev   string
	Until int64
	// SHA is the first 16 hex digits of the sha1 of the spec that the record is of.
	SHA string
	// Record is the whole record, as the queue writes it.
	Record string
}

// Arrived tells whether a check of that revision, frozen in another lane on its
// way to this one, has certainly come: each arrival raises the revision. Where
// an older binary did not, and it has left again, that is for the queue to judge.
func (s Standing) Arrived(rev string) bool {
	switch s.Kind {
	case StandsNot, StandsExpected:
		return false
	case StandsHere, StandsRemoved:
		return CompareRevs(s.Rev, rev) >= 0
	}
	return CompareRevs(s.Rev, rev) > 0
}

// StandingKind says how a check stands in a lane.
type StandingKind uint8

// The kinds.
const (
	StandsNot      StandingKind = iota // no record, or one that cannot be read
	StandsHere                         // it waits, runs, or has a bad spec
	StandsFrozen                       // on its way to Lane, and perhaps there
	StandsMoved                        // it went to Lane, in the same zone
	StandsAway                         // it went to Lane, in another zone
	StandsExpected                     // it is to come from Lane
	StandsRemoved                      // it was removed
)

// Stone is a tombstone that is to stand in another lane too.
type Stone struct {
	ID, Rev string
	// From is the lane that a check is expected from; the zero value: the check
	// was removed.
	From Lane
	// Until is when it goes, unix ms.
	Until int64
}

// CompareRevs compares two revisions: negative when a is older than b.
func CompareRevs(a, b string) int {
	x, y := revParts(a), revParts(b)
	for i := range x { // decimal numbers without leading zeros, none is the least
		if c := cmp.Or(cmp.Compare(len(x[i]), len(y[i])), strings.Compare(x[i], y[i])); c != 0 {
			return c
		}
	}
	return 0
}

func revParts(rev string) [3]string {
	ms, rest, _ := strings.Cut(rev, "-")
	seq, counter, _ := strings.Cut(rest, ".")
	return [3]string{ms, seq, counter}
}
