package check

import "strings"

// Neighbour is what is known of another check of the zone.
type Neighbour struct {
	// There: the check exists. Paused: it does not run.
	There, Paused bool
	// Crashes counts the workers that were lost while they ran it.
	Crashes int
	// At is when a one-shot is to run, unix ms, 0 for any other check.
	At int64
	// Last is its latest run, nil when there was none.
	Last *Last
}

// inTrouble says whether a check's children open nothing: it is CRIT or
// UNKNOWN, or is held by a parent itself. WARN is no trouble: it can be
// reached.
func (l *Last) inTrouble() bool {
	return l.State == StateCrit || l.State == StateUnknown || strings.HasPrefix(l.Held, HeldParent)
}

// Kinship is what the parents of a check have to say about an incident that is
// about to open.
type Kinship struct {
	// Parent is the first that is in trouble; empty: none. Unsure is one whose
	// latest result is older than the trouble of the check.
	Parent, Unsure string
	// Hurry are parents that are to run now, so that more is known soon.
	Hurry []string
	// Missing are checks that have to be known first.
	Missing []string
}

const (
	// maxKin bounds how far holds are followed from parent to parent.
	maxKin = 16
	// maxHoldAge is from when on the result of a parent in trouble is too old to
	// hold others without a new one, ms: it may run every hour only.
	maxHoldAge = 60_000
)

// Kin judges the parents of the check c, whose trouble began at down and whose
// latest run at started, both unix ms. known are the checks that are known so
// far, by id; those that are not there stand in it as well.
//
// A parent that does not exist or is paused holds nothing. Neither does a
// one-shot whose time is still ahead, which is not made to run before, nor one
// that is held, over any number of parents, by a check that comes twice or by
// c itself: in a circle each would wait for the others.
func Kin(c *Check, known map[string]Neighbour, down, started int64) Kinship {
	var k Kinship
	var stale []string
	for _, id := range c.Parents {
		n, ok := known[id]
		switch {
		case !ok:
			k.Missing = append(k.Missing, id)
		case !n.There || n.Paused || n.At > started:
		case n.Last == nil:
			stale = append(stale, id)
		case n.Last.inTrouble():
			free, missing := freeOf(c.ID, id, known)
			if missing != "" {
				k.Missing = append(k.Missing, missing)
			}
			if free && k.Parent == "" {
				k.Parent = id
			}
			if n.Last.Started < max(down, started-maxHoldAge) {
				k.hurry(id, n)
			}
		case n.Last.Started < down || n.Last.Since > started:
			// Nothing newer is known, or it recovered during the run.
			stale = append(stale, id)
		}
	}
	for _, id := range stale {
		if n := known[id]; k.Parent == "" {
			k.hurry(id, n)
			if k.Unsure == "" {
				k.Unsure = id
			}
		}
	}
	return k
}

// hurry wants a parent to run, unless it costs workers.
func (k *Kinship) hurry(id string, n Neighbour) {
	if n.Crashes == 0 {
		k.Hurry = append(k.Hurry, id)
	}
}

// freeOf says whether the hold of a parent does not lead back to the check me
// or into a circle. missing is the check that has to be known to tell.
func freeOf(me, id string, known map[string]Neighbour) (free bool, missing string) {
	seen := map[string]bool{me: true}
	for range maxKin {
		if seen[id] {
			return false, ""
		}
		seen[id] = true
		n, ok := known[id]
		if !ok {
			return false, id
		}
		if !n.There || n.Last == nil {
			return true, ""
		}
		if id, ok = strings.CutPrefix(n.Last.Held, HeldParent); !ok {
			return true, ""
		}
	}
	return false, ""
}
