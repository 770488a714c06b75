package scheduler

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// A check that waits moves to another zone at once, with everything it has.
func TestMoveToAnotherZone(t *testing.T) {
	eachRig(t, func(t *testing.T, r *rig) {
		r.want(accepted, set("a", "1h")...)
		was := r.place("a")
		v := r.want(accepted, "op move id a to fra")
		if v.Reason != "no worker serves zone fra now" {
			t.Errorf("reason = %q", v.Reason)
		}
		is := r.in(fra0, "a")
		if !strings.Contains(is.Spec, `"zone":"fra"`) || is.Due != was.Due || is.Record.State != "waiting" {
			t.Errorf("in fra it is %+v, it was %+v", is, was)
		}
		r.want(unchanged, "op move id a zone fra to fra")
		r.age()
		r.pass(lane0)
		if left := r.place("a"); left.Spec != "" || left.Record.State != "moved" {
			t.Errorf("left behind: %+v", left)
		}
		for _, op := range []string{"pause", "resume", "run", "move", "delete"} {
			words := "op " + op + " id a"
			if op == "move" {
				words += " to ber"
			}
			if v := r.want(rejected, words); v.Reason != "there is no check a in zone default, it was moved to zone fra" {
				t.Errorf("%s: %q", op, v.Reason)
			}
		}
		r.want(accepted, "op run id a zone fra")
		r.want(accepted, set("a", "2h")...) // another check
		r.want(rejected, "op move id a to fra")
		r.want(rejected, "op move id nobody to fra")
		r.want(accepted, "op delete id a")
		r.want(accepted, "op move id a zone fra to default")
		r.settle()
		if p := r.place("a"); !strings.Contains(p.Spec, `"1h"`) {
			t.Errorf("back again: %+v", p)
		}
		if schema := r.client.HGet(t.Context(), r.KeyMeta(), "schema").Val(); schema != "2" {
			t.Errorf("schema = %q, want 2", schema)
		}
	})
}

// A move that is applied twice is one move, whatever has happened since.
func TestMoveIsRepeated(t *testing.T) {
	cases := map[string]func(t *testing.T, r *rig){}
	for _, when := range []string{"at once", "when it has gone", "during its run"} {
		cases[when] = func(t *testing.T, r *rig) {
			r.want(accepted, set("a", "1h")...)
			if when == "during its run" {
				r.lease("w")
			}
			entry := r.request("op move id a to fra")
			found, err := r.IntakeNew(t.Context(), 9, 0)
			r.must(err)
			for range 2 {
				_, err := r.s.apply(t.Context(), found, true)
				r.must(err)
				if when == "when it has gone" {
					r.age()
					r.pass(lane0)
				}
			}
			for _, v := range r.verdicts() {
				if v.Entry == entry && v.Verdict != accepted {
					t.Errorf("verdict = %+v", v)
				}
			}
			if when == "during its run" {
				if p := r.place("a"); p.Record.State != "leased" || p.Record.First != 1 {
					t.Errorf("it is %+v", p)
				}
				return
			}
			if p := r.in(fra0, "a"); p.Record.State != "waiting" {
				t.Errorf("in fra it is %+v", p)
			}
		}
	}
	eachCase(t, cases)
}

// crit is a last record with an open incident.
var crit = check.Last{Result: check.Result{State: check.StateCrit}, Incident: &check.Incident{ID: "default/a/5", To: check.StateCrit}}

// onItsWay makes a check with an incident that is on its way to fra, and has
// come as far as when says.
func (r *rig) onItsWay(when string) (end func()) {
	r.t.Helper()
	r.want(accepted, set("a", "1h")...)
	r.complete(r.lease("w")[0], crit, r.now())
	l := r.lease("w")[0]
	if v := r.want(accepted, "op move id a to fra"); !strings.HasSuffix(v.Reason, "it moves when its run has ended") {
		r.t.Errorf("reason = %q", v.Reason)
	}
	run := func() {
		r.complete(l, crit, r.now())
		if leases := r.leaseIn(lane0); len(leases) != 0 {
			r.t.Errorf("it runs once more where it was: %+v", leases)
		}
	}
	if when == "running" {
		return func() { run(); r.carryOn() }
	}
	run()
	if when == "frozen" {
		return r.carryOn
	}
	r.carryOn()
	if when == "departed" {
		r.age()
		r.pass(lane0)
	}
	return func() {}
}

// A check that runs moves when its run has ended. Until then requests for its
// new zone find it, none is lost, and what it does is what was asked last.
func TestRequestsFindACheckOnItsWay(t *testing.T) {
	cases := map[string]func(t *testing.T, r *rig){}
	for _, tt := range []struct {
		request string
		want    string // in fra
	}{
		{"op run id a zone fra", "every 1h, waiting, due now, incident"},
		{"op pause id a zone fra", "every 1h, waiting, paused, incident"},
		{"id a zone fra command probe every 7h params.host h", "every 7h, waiting, incident"},
		{"op delete id a zone fra", "no spec"},
		{"op ack zone fra id a by kim", "every 1h, waiting, due now, incident, ack"},
		{"op ack incident default/a/5 by kim", "every 1h, waiting, due now, incident, ack"},
		{"op move zone fra id a to ber", "no spec"},
	} {
		for _, when := range []string{"running", "frozen", "arrived", "departed"} {
			cases[tt.request+" "+when] = func(t *testing.T, r *rig) {
				end := r.onItsWay(when)
				r.want(accepted, hoursOff(tt.request))
				end()
				r.settle()
				if got := r.describe(fra0, "a"); got != tt.want {
					t.Errorf("in fra: %s, want %s", got, tt.want)
				}
				if got := r.describe(lane0, "a"); got != "no spec" {
					t.Errorf("in default: %s", got)
				}
				r.quiet()
			}
		}
	}
	eachCase(t, cases)
}

// hoursOff gives the schedule of a request a phase, so that its next slot does
// not come while the test runs.
func hoursOff(request string) string {
	const every = 7 * time.Hour
	phase := time.Duration(time.Now().Add(every/2).UnixNano()) % every
	return strings.Replace(request, "every 7h ", fmt.Sprintf("every 7h phase %s ", phase.Truncate(time.Second)), 1)
}

// describe says in words what a lane has of a check.
func (r *rig) describe(lane check.Lane, id string) string {
	r.t.Helper()
	p := r.in(lane, id)
	if p.Spec == "" {
		return "no spec"
	}
	c, err := check.Parse([]byte(p.Spec))
	r.must(err)
	words := []string{"every " + strings.TrimSuffix(c.Every.String(), "0m0s"), p.Record.State}
	if p.Record.Paused {
		words = append(words, "paused")
	} else if p.Due <= r.now() {
		words = append(words, "due now")
	}
	for _, e := range []struct{ field, word string }{{"default/a/5", "incident"}, {"default/a/5/ack", "ack"}} {
		if r.client.HExists(r.t.Context(), r.KeyIncidents(lane), e.field).Val() {
			words = append(words, e.word)
		}
	}
	return strings.Join(words, ", ")
}

// While a check has yet to leave, a request for the zone that it leaves is
// applied to it as well; a set for that zone makes it stay.
func TestRequestsWhereACheckLeaves(t *testing.T) {
	cases := map[string]func(t *testing.T, r *rig){}
	for _, tt := range []struct{ request, inDefault, inFra string }{
		{"op pause id a", "no spec", "every 1h, waiting, paused, incident"},
		{"id a command probe every 7h params.host h", "every 7h, waiting, incident", "no spec"},
		{"op move id a to default", "every 1h, waiting, incident", "no spec"},
		{"op delete id a", "no spec", "no spec"},
	} {
		for _, when := range []string{"running", "frozen"} {
			cases[tt.request+" "+when] = func(t *testing.T, r *rig) {
				end := r.onItsWay(when)
				r.want(accepted, hoursOff(tt.request))
				if when == "frozen" || tt.inDefault == "no spec" {
					end()
				} else {
					r.completeAll()
				}
				r.settle()
				got := strings.Replace(r.describe(lane0, "a"), ", due now", "", 1) // it was, while it was frozen
				if got != tt.inDefault {
					t.Errorf("in default: %s, want %s", got, tt.inDefault)
				}
				if got = r.describe(fra0, "a"); got != tt.inFra {
					t.Errorf("in fra: %s, want %s", got, tt.inFra)
				}
			}
		}
	}
	eachCase(t, cases)
}

// completeAll ends the run that is on.
func (r *rig) completeAll() {
	r.t.Helper()
	p := r.place("a")
	e := check.Entry{Lane: lane0, SID: p.Record.SID, ID: "a", Planned: p.Record.Planned}
	r.complete(check.Lease{Entry: e, Token: p.Record.Owner, Rev: "1-1"}, crit, r.now())
}

// A check that comes to a zone where there is one of its name by then does not
// replace it: the newer one stays, an incident of the other one is resolved.
func TestMoveToATakenPlace(t *testing.T) {
	eachRig(t, func(t *testing.T, r *rig) {
		end := r.onItsWay("running")
		r.must(r.client.HDel(t.Context(), r.KeyRuns(fra0), "a").Err()) // where it was expected
		r.want(accepted, "id a zone fra command probe every 7h params.host h")
		end()
		r.settle()
		if got := r.describe(fra0, "a"); got != "every 7h, waiting, due now, incident" {
			t.Errorf("in fra: %s", got)
		}
		var inc check.Incident
		r.must(json.Unmarshal([]byte(r.client.HGet(t.Context(), r.KeyIncidents(fra0), "default/a/5").Val()), &inc))
		if inc.Resolved == 0 || inc.Reason != check.ReasonIncidentLost {
			t.Errorf("the incident is %+v, want it resolved", inc)
		}
	})
}
