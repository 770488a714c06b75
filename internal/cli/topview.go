package cli

import (
	"cmp"
	"slices"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// The orders in which `top` shows checks.
const (
	sortNotOK = "not ok" // those whose latest result is not OK, the newest first
	sortSlow  = "slow"   // those whose commands took longest
	sortLate  = "late"   // those that started latest
)

var topSorts = []string{sortNotOK, sortSlow, sortLate}

// topFrame is one picture of a fleet. Times are unix ms on the clock of Redis.
type topFrame struct {
	Now    int64    `json:"now"`
	Zones  []string `json:"zones"`
	Lanes  int      `json:"lanes"`
	Checks int64    `json:"checks"`
	// Waiting, Queued and Running are where checks are; Due60 how many of
	// the waiting ones are due within a minute; Overdue for how long the first has been due.
	Waiting int64 `json:"waiting"`
	Due60   int64 `json:"due_60s"`
	Queued  int64 `json:"queued"`
	Running int64 `json:"running"`
	Overdue int64 `json:"overdue_ms"`
	// Rate is results a second; the following are of the results that were
	// looked at within the last minute.
	Rate    float64 `json:"results_per_second"`
	Sample  int     `json:"sample"`
	NotOK   int     `json:"not_ok"`
	LateP50 int64   `json:"late_p50_ms"`
	LateP99 int64   `json:"late_p99_ms"`
	TookP50 int64   `json:"took_p50_ms"`
	TookP99 int64   `json:"took_p99_ms"`

	Live  int `json:"workers_live"`
	Dead  int `json:"workers_dead"`
	Slots int `json:"slots"`
	Busy  int `json:"busy"`
	Open  int `json:"incidents_open"`

	// Of incidents and checks there are the first hundred.
	Workers   []workerRow   `json:"workers"`
	Incidents []incidentRow `json:"incidents"`
	Latest    []topRow      `json:"latest"`
}

// topRow is the latest result of a check.
type topRow struct {
	Zone     string      `json:"zone"`
	ID       string      `json:"id"`
	State    check.State `json:"state"`
	Reason   string      `json:"reason,omitempty"`
	Text     string      `json:"text,omitempty"`
	Worker   string      `json:"worker"`
	Finished int64       `json:"finished"`
	Late     int64       `json:"late_ms"`
	Took     int64       `json:"took_ms"`
}

// topRows bounds what a frame lists of each kind.
const topRows = 100

// frame makes a picture of a zone, of all without one.
func (d *topData) frame(zone, order string) topFrame {
	f := topFrame{Now: d.now, Zones: d.zones, Workers: []workerRow{}, Incidents: []incidentRow{}, Latest: []topRow{}}
	seen := map[string]int{}
	for _, l := range d.lanes {
		f.Lanes++
		f.Checks += l.checks
		f.Due60 += l.Due60
		f.Waiting += l.Due60 + l.Due180 + l.Later
		f.Queued += max(l.Ready-l.Pending, 0)
		f.Running += l.Pending
		f.Overdue = max(f.Overdue, l.Overdue)
		f.Rate += l.rate
		for _, r := range l.open {
			f.Incidents = mergeIncidents(f.Incidents, []incidentRow{r.at(d.now)}, seen)
		}
	}
	sortIncidents(f.Incidents)
	slices.Reverse(f.Incidents) // the newest first
	f.Open = len(f.Incidents)
	f.Incidents = f.Incidents[:min(f.Open, topRows)]
	f.addWorkers(d.workers, zone)
	f.addResults(d.events, zone, order)
	return f
}

func (f *topFrame) addWorkers(rows []workerRow, zone string) {
	for _, w := range rows {
		if zone != "" && !slices.Contains(w.Zones, zone) {
			continue
		}
		f.Workers = append(f.Workers, w)
		if !w.Live {
			f.Dead++
			continue
		}
		f.Live++
		f.Slots += w.Slots
		f.Busy += w.Busy
	}
	slices.SortStableFunc(f.Workers, func(x, y workerRow) int { // the dead ones and the full ones first
		if x.Live != y.Live {
			return map[bool]int{true: 1, false: -1}[x.Live]
		}
		return cmp.Compare(float64(y.Busy)/float64(max(y.Slots, 1)), float64(x.Busy)/float64(max(x.Slots, 1)))
	})
}

// addResults takes the results of the last minute, newest first.
func (f *topFrame) addResults(events []check.Event, zone, order string) {
	var late, took []int64
	seen := map[target]bool{}
	for i := range events {
		ev := &events[i]
		t := target{cmpOr(ev.Check.Zone, check.DefaultZone), ev.Check.ID}
		if zone != "" && t.zone != zone {
			continue
		}
		r := topRow{
			Zone: t.zone, ID: t.id, State: ev.Result.State, Reason: ev.Result.Reason, Text: ev.Result.Text, Worker: ev.Worker,
			Finished: ev.Finished, Late: max(ev.Started-ev.Planned, 0), Took: max(ev.Finished-ev.Started, 0),
		}
		if time.Duration(f.Now-ev.Finished)*time.Millisecond <= topFresh {
			late, took = append(late, r.Late), append(took, r.Took)
			if r.State != check.StateOK {
				f.NotOK++
			}
		} else if order != sortNotOK {
			continue
		}
		if seen[t] {
			continue
		}
		if seen[t] = true; order != sortNotOK || r.State != check.StateOK {
			f.Latest = append(f.Latest, r)
		}
	}
	f.Sample = len(late)
	f.LateP50, f.LateP99 = middleAndMost(late)
	f.TookP50, f.TookP99 = middleAndMost(took)
	slices.SortStableFunc(f.Latest, func(x, y topRow) int {
		switch order {
		case sortSlow:
			return cmp.Compare(y.Took, x.Took)
		case sortLate:
			return cmp.Compare(y.Late, x.Late)
		}
		return cmp.Compare(y.Finished, x.Finished)
	})
	f.Latest = f.Latest[:min(len(f.Latest), topRows)]
}

// middleAndMost gives the 50th and the 99th percentile.
func middleAndMost(list []int64) (p50, p99 int64) {
	if len(list) == 0 {
		return 0, 0
	}
	slices.Sort(list)
	return list[len(list)/2], list[len(list)*99/100]
}
