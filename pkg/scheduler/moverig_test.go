package scheduler

import (
	"regexp"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/internal/redistest"
	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

var fra0 = check.Lane{Zone: "fra"}

// lanesOf lists all lanes there are.
func (r *rig) lanesOf() []check.Lane {
	r.t.Helper()
	lanes, err := r.Lanes(r.t.Context())
	r.must(err)
	return lanes
}

func (r *rig) in(lane check.Lane, id string) redisqueue.Place {
	r.t.Helper()
	places, err := r.Places(r.t.Context(), lane, []string{id})
	r.must(err)
	return places[0]
}

var frozenAt = regexp.MustCompile(`/([wpb])/\d+/`)

// age lets all frozen checks have been so for long enough to depart.
func (r *rig) age() {
	r.t.Helper()
	ctx := r.t.Context()
	for _, lane := range r.lanesOf() {
		for id, rec := range r.client.HGetAll(ctx, r.KeyRuns(lane)).Val() {
			if strings.HasPrefix(rec, "b ") && frozenAt.MatchString(rec) {
				r.must(r.client.HSet(ctx, r.KeyRuns(lane), id, frozenAt.ReplaceAllString(rec, "/$1/1000/")).Err())
			}
		}
	}
}

// passes makes a pass over every lane.
func (r *rig) passes() {
	r.t.Helper()
	for _, lane := range r.lanesOf() {
		r.pass(lane)
	}
}

// settle makes passes until every check is where it belongs.
func (r *rig) settle() {
	r.t.Helper()
	for range 6 {
		r.passes()
		r.age()
	}
	r.wantSettled()
}

// wantSettled fails unless every check is where it belongs, and each zone says
// so.
func (r *rig) wantSettled() {
	r.t.Helper()
	zones, err := r.Zones(r.t.Context())
	r.must(err)
	for name, z := range zones {
		if z.Spread != 0 {
			r.t.Errorf("zone %s is not settled: %+v", name, z)
		}
	}
	r.wantWhole()
}

// wantWhole fails unless every spec stands once, in the lane that it belongs
// to, with a record that lets it run.
func (r *rig) wantWhole() {
	r.t.Helper()
	ctx := r.t.Context()
	zones, err := r.Zones(ctx)
	r.must(err)
	seen := map[string]check.Lane{}
	for _, lane := range r.lanesOf() {
		for id, text := range r.client.HGetAll(ctx, r.KeySpecs(lane)).Val() {
			c, err := check.Parse([]byte(text))
			if err != nil {
				continue
			}
			name := c.ZoneName() + "/" + id
			if other, ok := seen[name]; ok {
				r.t.Errorf("%s stands in %s and %s", name, other, lane)
			}
			seen[name] = lane
			if home := zones[c.ZoneName()].Home(c.ZoneName(), id); home != lane {
				r.t.Errorf("%s stands in %s, it belongs into %s", name, lane, home)
			}
			p := r.in(lane, id)
			waits := p.Record.State == "waiting" && (p.Due > 0) != p.Record.Paused
			if !waits && p.Record.State != "queued" && p.Record.State != "leased" && p.Record.State != "done" {
				r.t.Errorf("%s is %+v", name, p)
			}
		}
	}
}

// eachCase runs cases one after the other, on one server of each kind that is
// emptied in between.
func eachCase(t *testing.T, cases map[string]func(t *testing.T, r *rig)) {
	t.Helper()
	t.Parallel()
	redistest.Each(t, func(t *testing.T, c *redis.Client) {
		for name, f := range cases {
			t.Run(name, func(t *testing.T) {
				if err := c.FlushAll(t.Context()).Err(); err != nil {
					t.Fatal(err)
				}
				f(t, newRig(t, c))
			})
		}
	})
}

// leaseIn dispatches what is due in a lane and leases it.
func (r *rig) leaseIn(lane check.Lane) []check.Lease {
	r.t.Helper()
	ctx := r.t.Context()
	r.must(r.Prepare(ctx, lane))
	d, err := r.Dispatch(ctx, lane, 200)
	r.must(err)
	r.s.moves.add(lane, d.Frozen)
	entries, err := r.Read(ctx, "w", []check.Lane{lane}, 200, 0)
	r.must(err)
	if len(entries) == 0 {
		return nil
	}
	leases, _, err := r.Lease(ctx, check.LeaseRequest{Lane: lane, Worker: "w", Token: "w/" + entries[0].SID, Lease: 60e9, Suspects: 1, Entries: entries})
	r.must(err)
	return leases
}

// carryOn does what dispatch has left to be done.
func (r *rig) carryOn() {
	r.t.Helper()
	for lane, ids := range r.s.moves.take() {
		r.must(r.s.carryIDs(r.t.Context(), lane, ids))
	}
}
