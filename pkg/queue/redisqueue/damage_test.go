package redisqueue

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/check"
)

// junkRecords are run records that no script writes: noise, records with one
// word that is odd, and records of each state cut off at every length.
func junkRecords(sha, sid string) []string {
	sha = sha[:16]
	junk := []string{
		"", " ", "junk", "trash", "damaged", "w", "t - ", "\xff\xfe\x00", strings.Repeat("9", 5000), `{"state":"w"}`,
		"w v 5 - - 0 0 1-0 - " + sha + " 0",
		"w a 5 - - 0 0 1-0 - " + sha + " 0",
		"w - 5 " + sid + " - 0 0 1-0 - " + sha + " 0",
		"w - 5 - w/a 99 0 1-0 - " + sha + " 0",
		"q - 5 - - 0 0 1-0 - " + sha + " 0",
		"q - 5 --- - 0 0 1-0 - " + sha + " 0",
		"q - 5 99999999999999999999999-1 - 0 0 1-0 - " + sha + " 0",
		"l - 5 5-5-5 w/a 7 0 1-0 - " + sha + " 0",
		"l - 5 " + sid + " - 7 0 1-0 - " + sha + " 0",
		"l - 5 " + sid + " w/ 7 0 1-0 - " + sha + " 0",
		"l - 5 " + sid + " w/a " + strings.Repeat("9", 400) + " 0 1-0 - " + sha + " 0",
		"l - 5 " + sid + " w/a 7 " + strings.Repeat("9", 400) + " 1-0 - " + sha + " 0",
		"l - " + strings.Repeat("9", 400) + " " + sid + " w/a 7 0 1-0 - " + sha + " 0",
		"l ppaavv 5 " + sid + " w/a 7 0 1-0 - " + sha + " 0",
		"w - 5 - - 0 0 1-.. - " + sha + " 0",
		"w - 5 - - 0 0 1-5.1.1 - " + sha + " 0",
		"t - 5 - - 0 0 1-5.1.1 - - 1",
	}
	for _, whole := range []string{
		"w - 1700000000000 - - 0 0 1001-0 AB " + sha + " 0",
		"q - 1700000000000 " + sid + " - 0 0 1001-0 AB " + sha + " 0",
		"l - 1700000000000 " + sid + " w/a 99 0 1001-0.2 AB " + sha + " 0",
		"t - 1700000000000 " + sid + " w/a 99 0 1001-0 - - 1800000000000",
	} {
		for n := range len(whole) {
			junk = append(junk, whole[:n])
		}
	}
	return junk
}

// Whatever stands in a run record, each move fails for that check alone: the
// one beside it in the batch goes its way.
func TestJunkRecordsFailAlone(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		bad := r.start("bad", "w/a")
		good := r.start("good", "w/b")
		goodText := r.client.HGet(ctx, r.KeyRuns(lane), "good").Val()
		moves := map[string]func() (string, error){
			"renew": func() (string, error) {
				out, err := r.Renew(ctx, lane, time.Minute, []check.Holding{{Entry: bad.Entry, Token: "w/a"}, {Entry: good.Entry, Token: "w/b"}})
				return outcomeOf(out), err
			},
			"release": func() (string, error) {
				out, err := r.Release(ctx, lane, []check.Holding{{Entry: bad.Entry, Token: "w/a"}, {Entry: good.Entry, Token: "w/b"}})
				return outcomeOf(out), err
			},
			"complete": func() (string, error) {
				b := bad
				b.Record = "" // as written by another version
				out, err := r.Complete(ctx, lane, []check.Completion{done(b, 1), done(good, 1)})
				return outcomeOf(out), err
			},
			"lease": func() (string, error) {
				leases, _, err := r.Lease(ctx, check.LeaseRequest{
					Lane: lane, Token: "w/b", Lease: time.Minute, Entries: []check.Entry{bad.Entry, good.Entry},
				})
				for _, l := range leases {
					if l.ID == "good" {
						return "0", err
					}
				}
				return "no lease", err
			},
			"dispatch": func() (string, error) {
				r.must(r.client.ZAdd(ctx, r.KeyDue(lane), redis.Z{Score: 1, Member: "bad"}, redis.Z{Score: 1, Member: "good"}).Err())
				_, err := r.Dispatch(ctx, lane, 0)
				if !r.place("good").Record.Again {
					return "not again", err
				}
				return "0", err
			},
			"adopt": func() (string, error) {
				text := specText("good", 2)
				_, err := r.Adopt(ctx, lane, []check.Adoption{
					{ID: "bad", Rev: "9000-0", Spec: text, SHA: sha(text), OldSHA: sha(specText("bad", 1))},
					{ID: "bad", Spec: specText("bad", 1), SHA: sha(specText("bad", 1)), OldSHA: sha(specText("bad", 1))},
					{ID: "good", Rev: "9000-0", Spec: text, SHA: sha(text), OldSHA: sha(specText("good", 1)), First: 5},
				})
				if r.place("good").Record.Rev != "9000-0" {
					return "not adopted", err
				}
				return "0", err
			},
			"remove": func() (string, error) {
				_, err := r.Remove(ctx, lane, check.Removal{ID: "bad", Rev: "9000-0"})
				return "0", err
			},
			"run": func() (string, error) {
				_, err := r.RunNow(ctx, lane, "bad", "9000-0")
				return "0", err
			},
		}
		for _, text := range junkRecords(sha(specText("bad", 1)), bad.SID) {
			for name, move := range moves {
				r.must(r.client.HSet(ctx, r.KeyRuns(lane), "bad", text, "good", goodText).Err())
				r.must(r.client.HSet(ctx, r.KeySpecs(lane), "bad", specText("bad", 1), "good", specText("good", 1)).Err())
				if out, err := move(); err != nil || out != "0" {
					t.Errorf("%s beside the record %.80q = %s, %v, want it done", name, text, out, err)
				}
				if name == "release" || name == "complete" { // the entry is another one now
					good = r.start("good", "w/b")
					goodText = r.client.HGet(ctx, r.KeyRuns(lane), "good").Val()
				}
			}
		}
	})
}

func outcomeOf(out []check.Outcome) string {
	if len(out) != 2 {
		return "no answer"
	}
	return fmt.Sprint(out[1])
}

// After junk in a run record two passes of repair have the check waiting,
// queued or running again, and the third finds nothing.
func TestRepairMendsJunkRecords(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		text := specText("bad", 1)
		r.set("bad", 1, r.now()+10_000)
		for _, junk := range junkRecords(sha(text), "1-1") {
			r.must(r.client.HSet(ctx, r.KeyRuns(lane), "bad", junk).Err())
			r.must(r.client.ZRem(ctx, r.KeyDue(lane), "bad").Err())
			r.repairPass("bad", text)
			r.repairPass("bad", text)
			if kind := r.repairPass("bad", text); kind != "" {
				t.Errorf("third pass over %.80q found %s, record %q", junk, kind, r.client.HGet(ctx, r.KeyRuns(lane), "bad").Val())
			}
			p := r.place("bad")
			if p.Record.State != "waiting" || p.Due == 0 || p.Due > r.now()+60_000 {
				t.Errorf("after %.80q: %+v, want it waiting", junk, p)
			}
			if p.Due <= r.now() {
				r.dispatch()
				if p = r.place("bad"); p.Record.State != "queued" {
					t.Errorf("after %.80q: %+v, want it queued", junk, p)
				}
				r.must(r.client.Del(ctx, r.KeyReady(lane)).Err())
			}
		}
	})
}

// Go and the scripts agree on what a run record is.
func TestParseRecordAgreesWithTheScripts(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		text := specText("a", 1)
		r.set("a", 1, r.now())
		whole := []string{
			"w - 5 - - 0 0 1-0 - " + sha(text)[:16] + " 0", "w p 0 - - 0 2 1-0.7 AB " + sha(text)[:16] + " 0",
			"q p 5 1-1 - 0 0 1-0 - " + sha(text)[:16] + " 0", "l pav 5 1-1 w/a 7 0 0-0.1700000000000 - " + sha(text)[:16] + " 9",
			"d - 5 - - 0 0 1-0 AB " + sha(text)[:16] + " 0", "b - 5 - - 0 0 1-0 - " + sha(text)[:16] + " 0", "t - 5 1-1 w/a 7 0 1-0 - - 9",
		}
		for _, rec := range append(whole, junkRecords(sha(text), "1-1")...) {
			r.must(r.client.HSet(ctx, r.KeyRuns(lane), "a", rec).Err())
			found, err := r.Repair(ctx, lane, []check.RepairItem{{ID: "a", SHA: sha(text)}}, false)
			r.must(err)
			bad := len(found) > 0 && found[0].Kind == "bad_record"
			if _, err := ParseRecord(rec); (err != nil) != bad {
				t.Errorf("ParseRecord(%.80q) = %v, repair finds %v", rec, err, found)
			}
		}
	})
}

// repairPass does for one check what a scheduler's pass does, and gives what
// it found.
func (r *rig) repairPass(id, text string) string {
	r.t.Helper()
	ctx := r.t.Context()
	item := check.RepairItem{ID: id, SHA: sha(text), Ahead: 60_000}
	found, err := r.Repair(ctx, lane, []check.RepairItem{item}, true)
	r.must(err)
	if len(found) == 0 {
		return ""
	}
	switch found[0].Kind {
	case check.FindingHand:
		_, err = r.Adopt(ctx, lane, []check.Adoption{{ID: id, Spec: text, SHA: sha(text), OldSHA: sha(text), First: r.now() + 10_000}})
	case check.FindingLost, check.FindingFar:
		item.Place = r.now() + 10_000
		_, err = r.Repair(ctx, lane, []check.RepairItem{item}, true)
	}
	r.must(err)
	return found[0].Kind
}

// Junk records of checks that have no spec are gone after one sweep, and what
// the sweep leaves to its caller can be removed.
func TestSweepClearsJunkRecords(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		for _, junk := range junkRecords(sha("x"), "1-1") {
			r.must(r.client.HSet(ctx, r.KeyRuns(lane), "bad", junk).Err())
			for _, f := range r.sweep(true) {
				if f.Open {
					out, err := r.Remove(ctx, lane, check.Removal{ID: f.ID})
					r.must(err)
					if out != check.AdoptChanged && out != check.AdoptMissing {
						t.Errorf("remove of %s %.80q = %s", f.Kind, junk, out)
					}
				}
			}
			if rec := r.client.HGet(ctx, r.KeyRuns(lane), "bad").Val(); rec != "" {
				if got, err := ParseRecord(rec); err != nil || got.State != "removed" {
					t.Errorf("after %.80q the record is %.80q, want none or a tombstone", junk, rec)
				}
			}
			r.must(r.client.HDel(ctx, r.KeyRuns(lane), "bad").Err())
		}
	})
}
