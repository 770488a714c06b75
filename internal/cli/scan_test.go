package cli

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/check"
)

func lane(zone string, part int) check.Lane { return check.Lane{Zone: zone, Part: part} }

// A check that moves at any instant of a list, out of a lane that is yet to be
// read into one that was read or the other way, is listed once, with its last
// record, and is not taken for one that --prune deletes.
func TestScanWhileChecksMove(t *testing.T) {
	eachMoving(t, func(t *testing.T, r *movingRig) {
		up, down := idsFor(3, 4, 3), idsFor(0, 4, 3)
		all := slices.Concat(up, down)
		for page := 1; page <= 9; page++ {
			for _, before := range []string{"waiting", "frozen", "arrived"} {
				t.Run(fmt.Sprintf("%s, moved behind page %d", before, page), func(t *testing.T) {
					r.t = t
					r.must(r.client.FlushAll(t.Context()).Err())
					r.zone("default", 1)
					r.zone("default", 4)
					for _, id := range up {
						r.add(lane("default", 0), "default", id, "5-0")
					}
					for _, id := range down {
						r.add(lane("default", 3), "default", id, "5-0")
					}
					for _, way := range [][2]int{{0, 3}, {3, 0}} {
						ids := map[int][]string{0: up, 3: down}[way[0]]
						switch before {
						case "frozen":
							r.cargo(lane("default", way[0]), lane("default", way[1]), ids...)
						case "arrived":
							r.arrive(lane("default", way[0]), lane("default", way[1]), ids...)
						}
					}
					r.listedOnce(page, all, func() {
						r.move(lane("default", 0), lane("default", 3), up...)
						r.move(lane("default", 3), lane("default", 0), down...)
					})
				})
			}
		}
	})
}

// listedOnce reads all checks in each way while move happens behind a page.
func (r *movingRig) listedOnce(page int, ids []string, move func()) {
	r.t.Helper()
	r.spy.scan = 0
	r.spy.at = func(n int) {
		if n == page {
			move()
		}
	}
	rows, err := r.a.all(r.t.Context(), r.conn, nil)
	r.must(err)
	got := map[string]int{}
	for _, row := range rows {
		if got[row.ID]++; row.Text != row.ID {
			r.t.Errorf("last record of %s: %q", row.ID, row.Text)
		}
	}
	for _, id := range ids {
		if got[id] != 1 {
			r.t.Errorf("%s is listed %d times", id, got[id])
		}
	}
	r.spy.at = nil
}

// Export followed by apply --prune deletes nothing, whenever checks move.
func TestPruneWhileChecksMove(t *testing.T) {
	eachMoving(t, func(t *testing.T, r *movingRig) {
		ids := idsFor(0, 4, 3)
		for page := 1; page <= 5; page++ {
			t.Run(fmt.Sprintf("moved behind page %d", page), func(t *testing.T) {
				r.t = t
				r.must(r.client.FlushAll(t.Context()).Err())
				r.zone("default", 1)
				r.zone("default", 4)
				for _, id := range ids {
					r.add(lane("default", 2), "default", id, "5-0")
				}
				r.spy.scan, r.spy.at = 0, func(n int) {
					if n == page {
						r.move(lane("default", 2), lane("default", 0), ids...)
					}
				}
				if gone := r.exportThenPrune(); len(gone) > 0 {
					t.Errorf("--prune would delete %v", gone)
				}
			})
		}
	})
}

// exportThenPrune gives what apply --prune of an export would delete.
func (r *movingRig) exportThenPrune() []target {
	r.t.Helper()
	r.out.Reset()
	cmd := r.a.exportCmd()
	cmd.SetArgs(nil)
	cmd.SetContext(r.t.Context())
	r.must(cmd.RunE(cmd, nil))
	r.spy.at = nil
	var checks []*check.Check
	for line := range strings.Lines(r.out.String()) {
		c, err := check.Parse([]byte(line))
		r.must(err)
		checks = append(checks, c)
	}
	sel, err := parseSelector([]string{"owner=git"})
	r.must(err)
	gone, err := r.a.extra(r.t.Context(), sel, checks)
	r.must(err)
	return gone
}

// A check on its way to another zone is named by the zone that it goes to, from
// the order on: files that have it there do not lose it to --prune.
func TestPruneOnTheWayToAnotherZone(t *testing.T) {
	eachMoving(t, func(t *testing.T, r *movingRig) {
		for _, way := range [][2]string{{"default", "fra"}, {"fra", "default"}, {"fra", "ber"}} {
			from, to := lane(way[0], 0), lane(way[1], 0)
			for _, step := range []string{"ordered", "frozen", "arrived", "departed"} {
				t.Run(fmt.Sprintf("%s to %s, %s", way[0], way[1], step), func(t *testing.T) {
					r.t = t
					r.must(r.client.FlushAll(t.Context()).Err())
					r.zone(way[0], 1)
					r.zone(way[1], 1)
					r.add(from, way[1], "a", "5-0")
					switch step {
					case "frozen":
						r.cargo(from, to, "a")
					case "arrived":
						r.arrive(from, to, "a")
					case "departed":
						r.move(from, to, "a")
					}
					if gone := r.exportThenPrune(); len(gone) > 0 || strings.Count(r.out.String(), "\n") != 1 {
						t.Errorf("exported %s --prune would delete %v", r.out.String(), gone)
					}
					where := to
					if step == "ordered" || step == "frozen" {
						where = from
					}
					if got, want := fmt.Sprint(r.scanned()), fmt.Sprintf("[%s in %s]", target{way[1], "a"}, where); got != want {
						t.Errorf("it is %s, want %s", got, want)
					}
				})
			}
		}
	})
}

// Of two lanes that both say that they have a check the newer revision is right.
func TestScanOfTwins(t *testing.T) {
	eachMoving(t, func(t *testing.T, r *movingRig) {
		r.zone("default", 2)
		r.zone("default", 4)
		r.add(lane("default", 1), "default", "a", "5-0.1")
		r.add(lane("default", 2), "default", "a", "5-0.10")
		r.add(lane("default", 3), "default", "a", "5-0.9")
		if got, want := fmt.Sprint(r.scanned()), "[a in default:2]"; got != want {
			t.Errorf("scan gives %s, want %s", got, want)
		}
	})
}

// One that was seen as frozen and arrives behind the last look is given from the
// lane where it has arrived, also when it has gone on from there.
func TestScanOfALateArrival(t *testing.T) {
	eachMoving(t, func(t *testing.T, r *movingRig) {
		for _, left := range []bool{false, true} {
			r.must(r.client.FlushAll(t.Context()).Err())
			r.zone("default", 1)
			r.zone("default", 4)
			r.add(lane("default", 2), "default", "a", "5-0")
			r.cargo(lane("default", 2), lane("default", 1), "a")
			r.spy.scan, r.spy.at = 0, func(n int) {
				if n != 8 { // the last lane of the second look
					return
				}
				r.move(lane("default", 2), lane("default", 1), "a")
				if left {
					r.move(lane("default", 1), lane("default", 3), "a")
				}
			}
			where := lane("default", map[bool]int{false: 1, true: 3}[left])
			if got, want := fmt.Sprint(r.scanned()), fmt.Sprintf("[a in %s]", where); got != want {
				t.Errorf("scan gives %s, want %s", got, want)
			}
		}
	})
}

// A hand's text that names no zone is of the zone where it stands.
func TestScanOfATextWithoutZone(t *testing.T) {
	eachMoving(t, func(t *testing.T, r *movingRig) {
		r.zone("fra", 1)
		r.must(r.client.HSet(t.Context(), r.KeySpecs(lane("fra", 0)), "a", movingSpec("default", "a")).Err())
		if got, want := fmt.Sprint(r.scanned()), "[fra/a in fra:0]"; got != want {
			t.Errorf("scan gives %s, want %s", got, want)
		}
	})
}

// Where nothing moves a list costs what it did: the zones, and each page once.
func TestScanCostsNothingWhereNoneMoves(t *testing.T) {
	eachMoving(t, func(t *testing.T, r *movingRig) {
		r.zone("default", 3)
		r.zone("fra", 1)
		for i := range 20 {
			r.add(lane("default", i%3), "default", idsFor(i%3, 3, 7)[i/3], "5-0")
		}
		r.must(r.conn.Client().Ping(t.Context()).Err())
		r.spy.seen = nil
		if got := r.scanned(); len(got) != 20 {
			t.Errorf("scan gives %q", got)
		}
		if got, want := fmt.Sprint(r.spy.seen), "[hgetall hscan hscan hscan hscan]"; got != want {
			t.Errorf("commands: %s, want %s", got, want)
		}
	})
}

// A look that takes long sees that checks have begun to move meanwhile: within
// a zone by the list of zones, between zones by the log of requests.
func TestLongLookSeesMovesThatBegin(t *testing.T) {
	cases := map[string]func(r *movingRig) (from, to check.Lane, begin func()){
		"within a zone": func(r *movingRig) (from, to check.Lane, begin func()) {
			r.zone("default", 3)
			return lane("default", 2), lane("default", 0), func() { r.zone("default", 1) }
		},
		"to a zone that is new": func(r *movingRig) (from, to check.Lane, begin func()) {
			r.zone("default", 1)
			r.zone("fra", 1)
			return lane("fra", 0), lane("aaa", 0), func() { r.must(r.EnterZone(r.t.Context(), "aaa")) }
		},
		"between zones": func(r *movingRig) (from, to check.Lane, begin func()) {
			r.zone("default", 1)
			r.zone("fra", 1)
			return lane("fra", 0), lane("default", 0), func() {
				r.log("move", check.VerdictAccepted)
			}
		},
	}
	eachMoving(t, func(t *testing.T, r *movingRig) {
		for name, prepare := range cases {
			t.Run(name, func(t *testing.T) {
				r.t = t
				r.must(r.client.FlushAll(t.Context()).Err())
				from, to, begin := prepare(r)
				r.add(from, to.Zone, "a", "5-0")
				r.spy.scan, r.spy.at = 0, func(n int) {
					if n == 1 {
						begin()
						r.move(from, to, "a")
					}
				}
				if got, want := r.longScan(), fmt.Sprint([]target{{to.Zone, "a"}}); got != want {
					t.Errorf("a long look sees %s, want %s", got, want)
				}
			})
		}
	})
}

// log writes a verdict.
func (r *movingRig) log(op, verdict string) {
	r.t.Helper()
	values := []string{"entry", "1-1", "zone", "fra", "id", "a", "op", op, "verdict", verdict, "reason", ""}
	r.must(r.client.XAdd(r.t.Context(), &redis.XAddArgs{Stream: r.KeyIntakeLog(), Values: values}).Err())
}

// longScan is a scan in which every look takes long.
func (r *movingRig) longScan() string {
	r.t.Helper()
	w := r.a.walk(r.conn)
	w.quick = 0
	var out []target
	r.must(r.a.scanBy(r.t.Context(), w, func(_ check.Lane, page []stored) error {
		for _, s := range page {
			out = append(out, s.target())
		}
		return nil
	}))
	return fmt.Sprint(out)
}

// A long look of several zones is not repeated when the log shows that no check
// was sent to another zone; when the log does not reach back it is.
func TestLongLookOfQuietZones(t *testing.T) {
	eachMoving(t, func(t *testing.T, r *movingRig) {
		r.zone("default", 1)
		r.zone("fra", 1)
		r.add(lane("fra", 0), "fra", "a", "5-0")
		for _, tt := range []struct {
			op, verdict string
			looks       int
		}{{"set", check.VerdictAccepted, 1}, {"move", check.VerdictRejected, 1}, {"move", check.VerdictAccepted, lookMost}} {
			r.log(tt.op, tt.verdict)
			r.spy.scan = 0
			r.longScan()
			if got := r.spy.scan / 2; got != tt.looks {
				t.Errorf("after op %s, %s: %d looks, want %d", tt.op, tt.verdict, got, tt.looks)
			}
		}
	})
}

// An incident moves with its check: it is listed once, as it is in the lane
// where it goes on.
func TestIncidentsWhileTheirChecksMove(t *testing.T) {
	eachMoving(t, func(t *testing.T, r *movingRig) {
		for _, way := range [][2]int{{2, 0}, {0, 2}} {
			r.incidentsOnTheWay(lane("default", way[0]), lane("default", way[1]))
		}
	})
}

func (r *movingRig) incidentsOnTheWay(from, to check.Lane) {
	t := r.t
	put := func(lane check.Lane, updated, resolved int) {
		text := fmt.Sprintf(`{"id":"default/a/5","from":"OK","to":"CRIT","opened":5,"updated":%d,"resolved":%d}`, updated, resolved)
		r.must(r.client.HSet(t.Context(), r.KeyIncidents(lane), "default/a/5", text).Err())
	}
	for _, tt := range []struct {
		name, want string
		before     func()
		during     func()
	}{
		{"in both", "7 0", func() { r.arrive(from, to, "a"); put(to, 7, 0) }, func() {}},
		{"resolved where it goes on", "", func() { r.arrive(from, to, "a"); put(to, 7, 8) }, func() {}},
		{"goes behind the look", "6 0", func() { r.cargo(from, to, "a") }, func() {
			r.move(from, to, "a")
			put(to, 6, 0)
			r.must(r.client.HDel(t.Context(), r.KeyIncidents(from), "default/a/5").Err())
		}},
		{"the check has left it", "6 0", func() { r.move(from, to, "a") }, func() {}},
	} {
		for _, labels := range []string{"", "owner=git"} {
			t.Run(fmt.Sprintf("%s to %s, %s %s", from, to, tt.name, labels), func(t *testing.T) {
				r.t = t
				r.must(r.client.FlushAll(t.Context()).Err())
				r.zone("default", 1)
				r.zone("default", 4)
				r.add(from, "default", "a", "5-0")
				put(from, 6, 0)
				tt.before()
				if got := r.openOnes(labels, tt.during); got != tt.want {
					t.Errorf("updated and resolved: %q, want %q", got, tt.want)
				}
			})
		}
	}
	r.t = t
}

// openOnes lists open incidents while something happens behind the first lane.
func (r *movingRig) openOnes(labels string, during func()) string {
	r.t.Helper()
	var sel selector
	if labels != "" {
		var err error
		sel, err = parseSelector([]string{labels})
		r.must(err)
	}
	r.spy.incidents = func() { r.spy.incidents = nil; during() }
	rows, err := r.a.incidentRows(r.t.Context(), r.conn, incidentOptions{}, sel, 100)
	r.must(err)
	var out []string
	for _, row := range rows {
		out = append(out, fmt.Sprint(row.Updated, row.Resolved))
	}
	return strings.Join(out, ", ")
}

// Diff finds checks in the lanes that they have yet to leave; verify counts each
// once, and looks also at one that comes behind its look.
func TestDiffAndVerifyWhileChecksMove(t *testing.T) {
	eachMoving(t, func(t *testing.T, r *movingRig) {
		ids := idsFor(0, 4, 3)
		r.zone("default", 1)
		r.zone("default", 4)
		m := &manifest{}
		for i, id := range ids {
			r.add(lane("default", 2), "default", id, fmt.Sprintf("%d-0", 5+i))
			c, err := check.Parse([]byte(movingSpec("default", id)))
			r.must(err)
			m.rows = append(m.rows, row{})
			m.checks = append(m.checks, c)
		}
		r.arrive(lane("default", 2), lane("default", 0), ids[0])
		found, err := r.a.differences(t.Context(), m, nil)
		if err != nil || len(found) > 0 {
			t.Errorf("differences: %+v, %v", found, err)
		}
		r.spy.scan, r.spy.at = 0, func(n int) {
			if n == 1 {
				r.move(lane("default", 2), lane("default", 0), ids[0], ids[1])
				r.must(r.client.ZRem(t.Context(), r.KeyDue(lane("default", 0)), ids[1]).Err())
			}
		}
		v := &verifier{app: r.a, conn: r.conn}
		r.must(v.run(t.Context()))
		want := []problem{{Zone: "default", Lane: "default:0", ID: ids[1], Kind: "lost"}}
		if v.report.Checks != 3 || !slices.Equal(v.report.Problems, want) {
			t.Errorf("verify counts %d checks, want 3; problems %+v, want %+v", v.report.Checks, v.report.Problems, want)
		}
	})
}
