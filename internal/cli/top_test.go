package cli

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/internal/redistest"
	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// topRig is a Redis in which a fleet has left its traces.
type topRig struct {
	*testing.T
	client *redis.Client
	conn   *connection
	data   *topData
}

func newTopRig(t *testing.T, client *redis.Client) *topRig {
	r := &topRig{t, client, &connection{redisqueue.New(client, ""), nil}, newTopData()}
	r.must(client.HSet(t.Context(), "redpoll:zones", "default", "1 1", "edge", "1 2").Err())
	return r
}

func (r *topRig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r *topRig) marshal(v any) string {
	text, err := json.Marshal(v)
	r.must(err)
	return string(text)
}

// result adds a result that is an age old.
func (r *topRig) result(lane, id string, state check.State, age time.Duration, incident *check.Incident) {
	r.Helper()
	now, err := r.conn.Now(r.Context())
	r.must(err)
	at := now - age.Milliseconds()
	zone, _, _ := strings.Cut(lane, ":")
	ev := check.Event{
		Check: check.EventCheck{ID: id, Zone: zone}, Result: check.Result{State: state, Reason: "R", Text: "text of " + id},
		Planned: at - 40, Started: at - 30, Finished: at, Worker: "w1", Incident: incident,
	}
	if incident != nil {
		ev.Change = check.ChangeOpen
		if incident.Resolved != 0 {
			ev.Change = check.ChangeResolve
		}
	}
	r.must(r.client.XAdd(r.Context(), &redis.XAddArgs{Stream: "redpoll:{" + lane + "}:results", Values: []any{"event", r.marshal(ev)}}).Err())
}

// results adds results that have just come.
func (r *topRig) results(n int) {
	r.Helper()
	now, err := r.conn.Now(r.Context())
	r.must(err)
	pipe := r.client.Pipeline()
	for i := range n {
		ev := check.Event{Check: check.EventCheck{ID: fmt.Sprint("c", i), Zone: "default"}, Planned: now, Started: now, Finished: now}
		pipe.XAdd(r.Context(), &redis.XAddArgs{Stream: "redpoll:{default:0}:results", Values: []any{"event", r.marshal(ev)}})
	}
	_, err = pipe.Exec(r.Context())
	r.must(err)
}

// incident keeps an incident.
func (r *topRig) incident(lane, id string, resolved int64) {
	r.must(r.client.HSet(r.Context(), "redpoll:{"+lane+"}:incidents", id, r.marshal(check.Incident{ID: id, To: check.StateCrit, Opened: 5, Resolved: resolved})).Err())
}

func (r *topRig) frame(zone, order string) topFrame {
	r.Helper()
	r.must(r.data.look(r.Context(), r.conn, zone))
	return r.data.frame(zone, order)
}

func (r *topRig) open(f topFrame, want ...string) {
	r.Helper()
	var got []string
	for _, i := range f.Incidents {
		got = append(got, i.ID)
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		r.Errorf("open incidents: %v, want %v", got, want)
	}
}

// TestTopFrame: what a picture shows, and what is new in the next.
func TestTopFrame(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, client *redis.Client) {
		r := newTopRig(t, client)
		now, err := r.conn.Now(t.Context())
		r.must(err)
		for i := range 5 {
			id := fmt.Sprint("c", i)
			r.must(client.HSet(t.Context(), "redpoll:{default:0}:specs", id, "{}").Err())
			r.must(client.ZAdd(t.Context(), "redpoll:{default:0}:due", redis.Z{Score: float64(now - 2000 + 10_000*int64(i)), Member: id}).Err())
		}
		r.must(r.conn.Beat(t.Context(), check.Heartbeat{Name: "w1", Zones: []string{"default"}, Slots: 10, Busy: 4, Every: 3000}))
		r.must(r.conn.Beat(t.Context(), check.Heartbeat{Name: "w2", Zones: []string{"edge"}, Slots: 20, Every: 3000}))
		r.incident("default:0", "default/c1/5", 0)
		r.incident("default:0", "default/c2/5", 6)
		r.incident("edge:1", "edge/e1/5", 0)
		r.must(client.HSet(t.Context(), "redpoll:{default:0}:incidents", "default/c1/5/ack", `{"by":"me"}`, "default/c1/5/pager", "x").Err())
		r.result("default:0", "c0", check.StateCrit, 2*time.Second, nil)
		r.result("default:0", "c0", check.StateOK, time.Second, nil)
		r.result("default:0", "c1", check.StateWarn, time.Second, nil)
		r.result("edge:1", "e1", check.StateCrit, 10*time.Minute, nil)
		r.must(client.XAdd(t.Context(), &redis.XAddArgs{Stream: "redpoll:{default:0}:results", Values: []any{"event", "junk"}}).Err())

		f := r.frame("", sortNotOK)
		if f.Checks != 5 || f.Waiting != 5 || f.Lanes != 3 || len(f.Zones) != 2 || f.Overdue < 1500 || f.Live != 2 || f.Slots != 30 || f.Busy != 4 {
			t.Errorf("frame = %+v", f)
		}
		if f.Sample != 3 || f.NotOK != 2 || f.LateP50 != 10 || f.TookP99 != 30 || f.Rate == 0 {
			t.Errorf("results of the frame = %+v", f)
		}
		r.open(f, "edge/e1/5", "default/c1/5")
		if f.Incidents[1].ackText() != "me" {
			t.Errorf("acknowledged by %q, want me", f.Incidents[1].ackText())
		}
		if len(f.Latest) != 2 || f.Latest[0].ID != "c1" || f.Latest[1].ID != "e1" {
			t.Errorf("not OK: %+v, want c1 and e1: c0 is fine again", f.Latest)
		}
		if f = r.data.frame("", sortSlow); len(f.Latest) != 2 || f.Latest[0].ID == "e1" {
			t.Errorf("slow: %+v, want the checks of the last minute", f.Latest)
		}

		r.incident("default:0", "default/c1/5", 7)
		r.result("default:0", "c4", check.StateCrit, 0, &check.Incident{ID: "default/c4/9", To: check.StateCrit, Opened: 9})
		r.incident("default:0", "default/c4/9", 0)
		f = r.frame("default", sortNotOK)
		r.open(f, "default/c4/9")
		if f.Lanes != 1 || f.Live != 1 || len(f.Latest) != 2 || f.Latest[0].ID != "c4" || f.Sample != 4 {
			t.Errorf("frame of the zone default = %+v", f)
		}
		r.result("default:0", "c4", check.StateOK, 0, &check.Incident{ID: "default/c4/9", Opened: 9, Resolved: 10})
		r.incident("default:0", "default/c4/9", 10)
		r.open(r.frame("default", sortNotOK))
	})
}

// TestTopManyIncidents: more than one look reads are read in turn, and those
// that are gone go with the round.
func TestTopManyIncidents(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, client *redis.Client) {
		r := newTopRig(t, client)
		var all []any
		for i := range 6000 {
			id := fmt.Sprintf("default/c%d/5", i)
			all = append(all, id, r.marshal(check.Incident{ID: id, Opened: int64(i + 1)}), id+"/ack", `{"by":"me"}`)
		}
		const key = "redpoll:{default:0}:incidents"
		r.must(client.HSet(t.Context(), key, all...).Err())
		for range 40 {
			if f := r.frame("default", sortNotOK); f.Open == 6000 && r.data.lanes[check.Lane{Zone: "default"}].cursor == 0 {
				break
			}
		}
		f := r.frame("default", sortNotOK)
		if f.Open != 6000 || len(f.Incidents) != topRows {
			t.Fatalf("%d open incidents, %d listed; want 6000 and %d", f.Open, len(f.Incidents), topRows)
		}
		for range 40 {
			r.frame("default", sortNotOK)
		}
		for _, i := range r.data.frame("default", sortNotOK).Incidents {
			if i.ackText() != "me" {
				t.Errorf("%s is acknowledged by %q", i.ID, i.ackText())
			}
		}
		r.must(client.Del(t.Context(), key).Err())
		for range 40 {
			f = r.frame("default", sortNotOK)
		}
		r.open(f)
	})
}

// TestTopIsBounded: a look reads so many lanes and results, and goes on with
// the others.
func TestTopIsBounded(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, client *redis.Client) {
		r := newTopRig(t, client)
		r.must(client.HSet(t.Context(), "redpoll:zones", "wide", "1 200").Err())
		r.results(3000)
		r.frame("wide", sortNotOK)
		if n := len(r.data.lanes); n != topLanes {
			t.Errorf("the first look read %d lanes, want %d", n, topLanes)
		}
		for range 4 {
			r.frame("wide", sortNotOK)
		}
		if n := len(r.data.lanes); n != 200 {
			t.Errorf("five looks read %d lanes, want all 200", n)
		}
		if f := r.frame("default", sortLate); f.Sample != topResults {
			t.Errorf("%d results were read, want %d", f.Sample, topResults)
		}
		for range 5 {
			r.results(1500)
			r.frame("default", sortLate)
		}
		if n := len(r.data.events); n != topKept {
			t.Errorf("%d results are kept, want %d", n, topKept)
		}
	})
}

var escapes = regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]`)

// TestTopFits: no picture is larger than the terminal, none carries what a
// target wants to draw.
func TestTopFits(t *testing.T) {
	t.Parallel()
	f := topFrame{Now: 100_000, Zones: []string{"a", "b"}, Checks: 1 << 40, Rate: 123456.7, Open: 500}
	evil := "é\x1b[2J\x07\u202ebad\nline\x00 " + strings.Repeat("long ", 50)
	for i := range 60 {
		f.Workers = append(f.Workers, workerRow{Heartbeat: check.Heartbeat{Name: evil, Zones: []string{evil}, Version: evil, Slots: i, Busy: i}, Live: i > 3})
		f.Incidents = append(f.Incidents, incidentRow{Incident: check.Incident{To: check.StateCrit, Reason: evil, Text: evil}, Zone: "a", Check: evil, Ack: json.RawMessage(`{"by":"\u001b[31m"}`)})
		f.Latest = append(f.Latest, topRow{Zone: "a", ID: evil, State: check.StateWarn, Reason: evil, Text: evil, Worker: evil})
	}
	for _, size := range [][2]int{{80, 24}, {20, 8}, {200, 60}, {33, 12}, {500, 9}} {
		for _, frame := range []topFrame{f, {Now: 1}, {}} {
			for _, live := range []bool{true, false} {
				s := topScreen{width: size[0], height: size[1], color: &printer{color: true}}
				lines := s.draw(frame, topState{redis: "r", order: sortSlow, live: live, trouble: "redis is away: " + evil})
				if len(lines) > size[1] || live && len(lines) != size[1] {
					t.Errorf("%v: %d lines", size, len(lines))
				}
				for _, line := range lines {
					plain := escapes.ReplaceAllString(line, "")
					if utf8.RuneCountInString(plain) > size[0] {
						t.Errorf("%v: line of %d characters: %q", size, utf8.RuneCountInString(plain), plain)
					}
					if strings.ContainsAny(plain, "\x1b\a\n\x00\u202e") || strings.Contains(line, "\x1b[2J") {
						t.Errorf("%v: line with control characters: %q", size, line)
					}
				}
				text := strings.Join(lines, "\n")
				if live && !strings.Contains(text, "q quit") || size[1] >= 24 && frame.Now > 0 && (!strings.Contains(text, "SLOW") || !strings.Contains(text, "INCIDENT")) {
					t.Errorf("%v: something is missing:\n%s", size, text)
				}
			}
		}
	}
}

// TestTopBeforeAnswer: what is not known is not shown as a fleet that is empty.
func TestTopBeforeAnswer(t *testing.T) {
	t.Parallel()
	s := topScreen{width: 80, height: 24, color: &printer{}}
	for trouble, want := range map[string]string{"": "redpoll r  waits for the first answer", "redis does not answer: x": "redpoll r  redis does not answer: x"} {
		text := strings.Join(s.draw(topFrame{}, topState{redis: "r", live: true, trouble: trouble}), "\n")
		if !strings.HasPrefix(text, want+"\n") || strings.Contains(text, "no worker") || strings.Contains(text, "checks 0") {
			t.Errorf("trouble %q: %q, want %q and nothing about the fleet", trouble, text, want)
		}
	}
}
