package crash_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/redpoll/redpoll/internal/cli"
	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// compare holds everything that happened against what may have. Nothing works
// any more.
func (s *travel) compare() {
	all := s.watch.look()
	s.watch.judge(all)
	if s.watch.looks < 20 {
		s.t.Errorf("the lanes were looked at %d times only", s.watch.looks)
	}
	s.compareRuns()
	s.compareVerdicts()
	for lane, l := range all {
		s.compareLane(lane, l)
	}
	for id, zone := range s.watch.zones {
		s.compareCheck(all, zone, id)
	}
	s.compareIncidents(all)
	if left := s.unsettled(); left != "" {
		s.t.Error(left)
	}
	s.verify()
}

// compareRuns: each run has one result, and no planned time has two runs.
func (s *travel) compareRuns() {
	s.compareResults(s.watch.results, s.compareJournal())
	for id := range s.asked {
		if len(s.watch.results[id]) == 0 {
			s.t.Errorf("%s never ran", id)
		}
	}
}

// compareVerdicts: every request was accepted.
func (s *travel) compareVerdicts() {
	log, err := s.q.Client().XRange(s.t.Context(), s.q.KeyIntakeLog(), "-", "+").Result()
	s.must(err)
	verdicts := map[string]string{}
	for _, e := range log {
		verdicts[fmt.Sprint(e.Values["entry"])] = fmt.Sprint(e.Values["verdict"], " ", e.Values["reason"])
	}
	for id, entry := range s.asked {
		s.entries[entry] = "set " + id
	}
	for entry, what := range s.entries {
		if got := verdicts[entry]; !strings.HasPrefix(got, check.VerdictAccepted) {
			s.t.Errorf("%s: the verdict is %q, want it accepted", what, got)
		}
	}
}

// compareLane: there is nothing in a lane that is not to be there.
func (s *travel) compareLane(lane check.Lane, l *glance) {
	ours := func(id string) bool { return s.watch.zones[id] != "" && s.home(s.watch.zones[id], id) == lane }
	for id := range l.specs {
		if !ours(id) {
			s.t.Errorf("%s has the spec of %s", lane, id)
		}
	}
	for id := range l.due {
		if !ours(id) {
			s.t.Errorf("%s has %s in due", lane, id)
		}
	}
	for id := range l.last {
		if !ours(id) {
			s.t.Errorf("%s has the last record of %s", lane, id)
		}
	}
	for id, text := range l.runs {
		rec, err := redisqueue.ParseRecord(text)
		left := rec.State == "removed" || rec.State == "moved"
		if s.must(err); left == ours(id) {
			s.t.Errorf("%s has a record of %s: %s", lane, id, text)
		}
	}
	for _, e := range l.ready {
		id, _ := e.Values["id"].(string)
		if rec, err := redisqueue.ParseRecord(l.runs[id]); err != nil || rec.SID != e.ID {
			s.t.Errorf("%s has an entry of %s left over: %s", lane, id, l.runs[id])
		}
	}
	s.compareFields(lane, l)
}

// compareFields: incidents stand where their checks are, or were when they were
// removed.
func (s *travel) compareFields(lane check.Lane, l *glance) {
	if lane.Zone == "default" && lane.Part >= s.parts && len(l.incidents) > 0 {
		s.t.Errorf("%s was given up with %d fields of incidents", lane, len(l.incidents))
	}
	for field := range l.incidents {
		words := strings.Split(field, "/")
		if id := words[1]; s.ended[id] == "" && (s.open[id] == "" || s.home(s.watch.zones[id], id) != lane) {
			s.t.Errorf("%s has %s", lane, field)
		}
	}
}

// compareCheck: a check is where it belongs, waits for its time or runs.
func (s *travel) compareCheck(all map[check.Lane]*glance, zone, id string) {
	lane := s.home(zone, id)
	l := all[lane]
	rec, err := redisqueue.ParseRecord(l.runs[id])
	c, bad := check.Parse([]byte(l.specs[id]))
	switch {
	case err != nil || bad != nil:
		s.t.Errorf("%s in %s has the record %q and the spec %q", id, lane, l.runs[id], l.specs[id])
		return
	case c.ZoneName() != zone || rec.SHA != check.SHA(l.specs[id])[:16]:
		s.t.Errorf("%s in %s: record %q, spec %s", id, lane, l.runs[id], l.specs[id])
	case !slices.Contains([]string{"waiting", "queued", "leased"}, rec.State):
		s.t.Errorf("%s in %s ends as %q", id, lane, l.runs[id])
	}
	var last check.Last
	if err := json.Unmarshal([]byte(l.last[id]), &last); err != nil {
		s.t.Errorf("the last record of %s in %s is %q", id, lane, l.last[id])
	}
	if open := last.Open(); open == nil && s.open[id] != "" || open != nil && open.ID != s.open[id] {
		s.t.Errorf("%s has the incident %+v, want %q", id, open, s.open[id])
	}
}

// compareIncidents: those that were open are, with what stands beside them, and
// those of removed checks are kept once.
func (s *travel) compareIncidents(all map[check.Lane]*glance) {
	for id, name := range s.open {
		fields := all[s.home(s.watch.zones[id], id)].incidents
		var inc check.Incident
		var ack check.Ack
		if err := json.Unmarshal([]byte(fields[name]), &inc); err != nil || inc.ID != name || inc.Resolved != 0 {
			s.t.Errorf("incident %s of %s is %q, want it open", name, id, fields[name])
		}
		if slices.Contains(critical, id) && (json.Unmarshal([]byte(fields[name+"/ack"]), &ack) != nil || ack.By != "kim" || ack.Removed || ack.Ended) {
			s.t.Errorf("incident %s of %s has the acknowledgement %q", name, id, fields[name+"/ack"])
		}
		if fields[name+"/h"] != "of-"+id {
			s.t.Errorf("incident %s of %s has the handler's id %q", name, id, fields[name+"/h"])
		}
	}
	for id, name := range s.ended {
		for _, suffix := range []string{"", "/ack", "/h"} {
			s.compareEnded(all, id, name+suffix)
		}
	}
}

// compareEnded: what is kept of an incident of a removed check is what the
// removal has left. It may be gone with a lane that was given up.
func (s *travel) compareEnded(all map[check.Lane]*glance, id, field string) {
	var texts []string
	for _, l := range all {
		if text := l.incidents[field]; text != "" {
			texts = append(texts, text)
		}
	}
	slices.Sort(texts)
	if texts = slices.Compact(texts); len(texts) > 1 {
		s.t.Errorf("%s, which was removed, has %d texts for %s: %q", id, len(texts), field, texts)
		s.watch.tell(id)
	}
	for _, text := range texts {
		var inc check.Incident
		if field == s.ended[id] && (json.Unmarshal([]byte(text), &inc) != nil || inc.Resolved == 0 || inc.Reason == check.ReasonIncidentLost) {
			s.t.Errorf("%s, which was removed, has the incident %s", id, text)
			s.watch.tell(id)
		}
	}
}

// verify has the verb prove it as well.
func (s *travel) verify() {
	var out strings.Builder
	code := cli.Main(s.t.Context(), []string{"verify", "--redis", s.server.URL()}, cli.Streams{
		Getenv: func(string) string { return "" }, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out,
	})
	if code != cli.ExitOK || !strings.HasPrefix(out.String(), "0 problems") {
		s.t.Errorf("redpoll verify = %d: %s", code, out.String())
	}
}
