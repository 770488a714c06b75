package redisqueue

import "github.com/redpoll/redpoll/pkg/check"

// other is a lane that checks move to, third one that they move on to.
var (
	other = check.Lane{Zone: "default", Part: 3}
	third = check.Lane{Zone: "fra"}
)

// frozenRecord is that of a check that waited and is on its way to other.
const frozenRecord = "b - 5 - - 0 1 1001-0 >default:3/w/1000/nonce 0123456789abcdef 7000"

// rec gives the run record of a check in a lane as it stands there.
func (r *rig) rec(l check.Lane, id string) string {
	r.t.Helper()
	return r.client.HGet(r.t.Context(), r.KeyRuns(l), id).Val()
}

// freeze freezes a check for a move, with the text that stands in the registry.
func (r *rig) freeze(from, to check.Lane, id string) check.Frozen {
	r.t.Helper()
	st, err := r.Specs(r.t.Context(), from, []string{id})
	r.must(err)
	out, err := r.Freeze(r.t.Context(), from, []check.Freezing{{ID: id, SHA: sha(st[0].Spec), To: to}})
	r.must(err)
	return out[0]
}

// arrive carries a frozen check where it goes.
func (r *rig) arrive(from check.Lane, f check.Frozen) (check.Cargo, check.MoveOutcome) {
	r.t.Helper()
	cargo, err := r.Cargo(r.t.Context(), from, []check.Frozen{f}, []string{"pager"})
	r.must(err)
	out, err := r.Arrive(r.t.Context(), f.To, cargo)
	r.must(err)
	return cargo[0], out[0]
}

func (r *rig) depart(from check.Lane, c check.Cargo) check.MoveOutcome {
	r.t.Helper()
	out, err := r.Depart(r.t.Context(), from, []check.Departure{{Cargo: c, Away: c.To.Zone != from.Zone}})
	r.must(err)
	return out[0]
}

// move makes all three steps.
func (r *rig) move(from, to check.Lane, id string) {
	r.t.Helper()
	f := r.freeze(from, to, id)
	if f.Outcome != check.MoveFrozen {
		r.t.Fatalf("Freeze = %+v, want frozen", f)
	}
	c, out := r.arrive(from, f)
	if out != check.MoveTaken {
		r.t.Fatalf("Arrive = %s, want taken", out)
	}
	if got := r.depart(from, c); got != check.MoveGone {
		r.t.Fatalf("Depart = %s, want gone", got)
	}
	_, err := r.Follow(r.t.Context(), from, check.Zone{Partitions: 4})
	r.must(err)
}

func (r *rig) placeIn(l check.Lane, id string) Place {
	r.t.Helper()
	p, err := r.Places(r.t.Context(), l, []string{id})
	r.must(err)
	return p[0]
}
