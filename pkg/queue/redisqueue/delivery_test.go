package redisqueue

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/internal/redistest"
	"github.com/redpoll/redpoll/pkg/check"
)

func holdOf(token string) check.DeliveryHold {
	return check.DeliveryHold{Lane: lane, Handler: "pager", Token: token}
}

// take takes the hold, for as long as the test lasts.
func (r *rig) take(token string) check.DeliveryHold {
	r.t.Helper()
	h := holdOf(token)
	if ok, err := r.HoldDelivery(r.t.Context(), h, time.Minute); !ok || err != nil {
		r.t.Fatalf("HoldDelivery(%s) = %v, %v, want it", token, ok, err)
	}
	return h
}

// change puts a change into the stream and gives its id.
func (r *rig) change(event string) string {
	r.t.Helper()
	sid, err := r.client.XAdd(r.t.Context(), &redis.XAddArgs{Stream: r.KeyChanges(lane), Values: []string{"event", event}}).Result()
	r.must(err)
	return sid
}

func (r *rig) open() check.ReaderState {
	r.t.Helper()
	s, err := r.OpenReader(r.t.Context(), lane, "pager", false)
	r.must(err)
	return s
}

func (r *rig) fetch(h check.DeliveryHold, after string, count int) check.ChangePage {
	r.t.Helper()
	page, err := r.FetchChanges(r.t.Context(), check.ChangeRequest{DeliveryHold: h, After: after, Count: count})
	r.must(err)
	return page
}

// events are the texts of a page, with a dot for one that is gone.
func events(page check.ChangePage) string {
	var all []string
	for _, e := range page.Entries {
		if e.Event == "" {
			e.Event = "."
		}
		all = append(all, e.Event)
	}
	return strings.Join(all, " ")
}

func TestHoldDelivery(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		has := func(token string, want bool) {
			t.Helper()
			if got, err := r.HoldDelivery(ctx, holdOf(token), time.Minute); got != want || err != nil {
				t.Errorf("HoldDelivery(%s) = %v, %v, want %v", token, got, err, want)
			}
		}
		owner := func(want string) {
			t.Helper()
			got, err := r.DeliveryOwners(ctx, lane, []string{"other", "pager"})
			if err != nil || got[0] != "" || got[1] != want {
				t.Errorf("DeliveryOwners() = %q, %v, want %s", got, err, want)
			}
		}
		has("a/1", true)
		has("a/1", true)
		has("b/1", false)
		has("a/2", false) // another process of the same name
		keeps := func(token string, want bool) {
			t.Helper()
			if got, err := r.KeepDelivery(ctx, holdOf(token), time.Minute); got != want || err != nil {
				t.Errorf("KeepDelivery(%s) = %v, %v, want %v", token, got, err, want)
			}
		}
		keeps("a/1", true)
		keeps("b/1", false)
		owner("a/1")
		r.must(r.GiveDelivery(ctx, holdOf("b/1"), "", 0)) // not its to give
		owner("a/1")
		r.must(r.GiveDelivery(ctx, holdOf("a/1"), "c", time.Minute))
		owner("c/")
		has("a/1", false)
		has("b/1", false)
		has("c/7", true)
		owner("c/7")
		r.must(r.GiveDelivery(ctx, holdOf("c/7"), "", time.Minute))
		owner("")
		keeps("c/7", false) // it ran out: somebody may have had it meanwhile
		has("b/1", true)
		// What no worker can have written ends by being taken.
		r.must(r.client.Set(ctx, r.KeyDeliver(lane, "pager"), "hand", 0).Err())
		has("b/1", true)
		r.must(r.client.Set(ctx, r.KeyDeliver(lane, "pager"), "future", time.Hour).Err())
		has("b/1", true)
		if ok, err := r.HoldDelivery(ctx, holdOf("b/1"), 20*time.Millisecond); !ok || err != nil {
			t.Fatalf("HoldDelivery() = %v, %v", ok, err)
		}
		eventually(t, func() bool {
			ok, err := r.HoldDelivery(ctx, holdOf("d/1"), time.Minute)
			return ok && err == nil
		})
	})
}

// TestReaderBegins: a group that never was begins with what comes next, one
// that was lost with all that is kept.
func TestReaderBegins(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		h := r.take("a/1")
		r.change("old")
		if _, err := r.FetchChanges(ctx, check.ChangeRequest{DeliveryHold: h, Count: 10}); !errors.Is(err, check.ErrNoReader) {
			t.Errorf("FetchChanges() without a group = %v, want ErrNoReader", err)
		}
		if s := r.open(); s != check.ReaderNew {
			t.Errorf("OpenReader() = %s, want new", s)
		}
		r.change("one")
		if s := r.open(); s != check.ReaderThere {
			t.Errorf("OpenReader() = %s, want there", s)
		}
		if got := events(r.fetch(h, "", 10)); got != "one" {
			t.Errorf("a new reader gets %q, want one", got)
		}
		r.must(r.client.XGroupDestroy(ctx, r.KeyChanges(lane), "pager").Err())
		if s := r.open(); s != check.ReaderLost {
			t.Errorf("OpenReader() = %s, want lost", s)
		}
		if page := r.fetch(h, "", 10); events(page) != "old one" || page.Trimmed != 0 {
			t.Errorf("a lost reader gets %+v, want old one", page)
		}
		// With the stream and what is noted of it.
		r.must(r.client.Del(ctx, r.KeyChanges(lane), r.KeyReaders(lane)).Err())
		r.change("two")
		if s, err := r.OpenReader(ctx, lane, "pager", true); s != check.ReaderLost || err != nil {
			t.Errorf("OpenReader(known) = %s, %v, want lost", s, err)
		}
		if page := r.fetch(h, "", 10); events(page) != "two" || page.Trimmed != 0 {
			t.Errorf("a lost reader gets %+v, want two", page)
		}
		// A group that somebody made is noted as well.
		r.must(r.client.Del(ctx, r.KeyReaders(lane)).Err())
		r.open()
		if names, err := r.Readers(ctx, lane); err != nil || len(names) != 1 || names[0] != "pager" {
			t.Errorf("Readers() = %v, %v, want pager", names, err)
		}
	})
}

func TestFetchAndSettle(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		h := r.take("a/1")
		r.open()
		r.must(r.client.HSet(ctx, r.KeyIncidents(lane), "default/x/1", "{}").Err())
		sids := []string{r.change("one"), r.change("two"), r.change("three")}
		page := r.fetch(h, "", 2)
		if events(page) != "one two" || page.Entries[1].SID != sids[1] || page.Now == 0 {
			t.Errorf("FetchChanges() = %+v, want the first two", page)
		}
		// Another one reads nothing and writes nothing.
		if page := r.fetch(holdOf("b/1"), "", 2); page.Mine || len(page.Entries) > 0 {
			t.Errorf("FetchChanges() of another = %+v, want nothing", page)
		}
		before := r.dump()
		if ok, err := r.Settle(ctx, holdOf("b/1"), check.Settlement{SIDs: sids, IncidentID: "default/x/1", Ref: "theirs"}); ok || err != nil {
			t.Errorf("Settle() of another = %v, %v, want false", ok, err)
		}
		if ok, err := r.Bury(ctx, holdOf("b/1"), check.DeadLetter{Entry: sids[0]}); ok || err != nil {
			t.Errorf("Bury() of another = %v, %v, want false", ok, err)
		}
		if after := r.dump(); after != before {
			t.Errorf("who has no right wrote something:\n%s\nwas\n%s", after, before)
		}
		alert := func(want check.Alert) {
			t.Helper()
			want.ID, want.Incident = "default/x/1", "{}"
			if got, err := r.Alerts(ctx, lane, "pager", []string{"default/x/1"}); err != nil || got[0] != want {
				t.Errorf("Alerts() = %+v, %v, want %+v", got, err, want)
			}
		}
		settle := func(incident, ref string, sids ...string) {
			t.Helper()
			if ok, err := r.Settle(ctx, h, check.Settlement{SIDs: sids, IncidentID: incident, Ref: ref}); !ok || err != nil {
				t.Errorf("Settle() = %v, %v", ok, err)
			}
		}
		alert(check.Alert{})
		settle("", "", sids[0])
		alert(check.Alert{})
		settle("default/x/1", "", sids[1])
		alert(check.Alert{Known: true})
		settle("default/x/1", "T-7", sids[1]) // the answer was lost: once more
		settle("default/x/1", "", sids[1])
		alert(check.Alert{Known: true, Ref: "T-7"})
		settle("default/none/1", "T-8", sids[1])
		if n := r.client.HLen(ctx, r.KeyIncidents(lane)).Val(); n != 2 {
			t.Errorf("%d fields of incidents, want none beside an incident that is not there", n)
		}
		// What is read and not settled comes to the next one.
		r.fetch(h, "", 2)
		r.must(r.GiveDelivery(ctx, h, "", 0))
		if got := events(r.fetch(r.take("b/1"), "0", 10)); got != "three" {
			t.Errorf("the next one begins with %q, want three", got)
		}
	})
}

func TestBury(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		h := r.take("a/1")
		r.open()
		sid := r.change("one")
		r.fetch(h, "", 10)
		for range 2 { // a repeated call changes nothing
			if ok, err := r.Bury(ctx, h, check.DeadLetter{Entry: sid, Event: "one", Reason: "404", Attempts: 3}); !ok || err != nil {
				t.Errorf("Bury() = %v, %v", ok, err)
			}
		}
		got, err := r.DeadLetters(ctx, lane, "", 10)
		r.must(err)
		if len(got) != 1 || got[0].At < r.now()-60_000 {
			t.Fatalf("DeadLetters() = %+v, want one of now", got)
		}
		l := got[0]
		if want := (check.DeadLetter{Lane: lane, ID: l.ID, Event: "one", Handler: "pager", Reason: "404", Attempts: 3, At: l.At, Entry: sid}); l != want {
			t.Errorf("letter = %+v, want %+v", l, want)
		}
		if more, err := r.DeadLetters(ctx, lane, l.ID, 10); err != nil || len(more) != 0 {
			t.Errorf("DeadLetters(after) = %+v, %v, want none", more, err)
		}
		if n := r.client.XPending(ctx, r.KeyChanges(lane), "pager").Val().Count; n != 0 {
			t.Errorf("%d entries are pending, want none", n)
		}
		if n, err := r.DropDead(ctx, lane, l.ID); n != 1 || err != nil {
			t.Errorf("DropDead() = %d, %v, want 1", n, err)
		}
	})
}

func TestResend(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		h := r.take("a/1")
		r.open()
		sid := r.change("one")
		r.fetch(h, "", 10)
		if _, err := r.Bury(ctx, h, check.DeadLetter{Entry: sid, Event: "one"}); err != nil {
			t.Fatal(err)
		}
		letters, err := r.DeadLetters(ctx, lane, "", 10)
		r.must(err)
		r.must(r.client.HSet(ctx, r.KeyIncidents(lane), "default/x/1", "open").Err())
		items := []Resending{
			{IncidentID: "default/x/1", Incident: "resolved", Event: "conflict"},
			{IncidentID: "default/x/1", Incident: "open", Letter: letters[0].ID, Event: "one"},
			{IncidentID: "default/x/1", Incident: "open", Letter: letters[0].ID, Event: "gone"},
			{IncidentID: "default/y/1", Event: "two"},
		}
		got, err := r.Resend(ctx, lane, "pager", items)
		if fmt.Sprint(got) != "[2 0 1 0]" || err != nil {
			t.Errorf("Resend() = %v, %v, want conflict, done, gone, done", got, err)
		}
		page := r.fetch(h, "", 10)
		if events(page) != "one two" || page.Entries[0].For != "pager" {
			t.Errorf("FetchChanges() = %+v, want both for pager", page)
		}
		if e, err := r.Change(ctx, lane, page.Entries[0].SID); err != nil || e != page.Entries[0] {
			t.Errorf("Change() = %+v, %v, want %+v", e, err, page.Entries[0])
		}
		all, err := r.Changes(ctx, lane, "-", "("+page.Entries[1].SID, 10)
		if err != nil || len(all) != 2 || all[0].For != "" || all[1] != page.Entries[0] {
			t.Errorf("Changes() = %+v, %v", all, err)
		}
	})
}

// TestTrimmedUnread counts what was gone before a reader came to it, once.
func TestTrimmedUnread(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := &rig{Queue: New(redistest.Start(t).Client(t), ""), t: t}
	h := r.take("a/1")
	r.change("before")
	r.open()
	add := func(n int) {
		for i := range n {
			r.change(fmt.Sprint(i))
		}
	}
	add(10)
	if page := r.fetch(h, "", 4); page.Trimmed != 0 || page.Left != 6 {
		t.Errorf("FetchChanges() = %+v, want none trimmed, 6 left", page)
	}
	// Three that were read go, and two that were not.
	r.must(r.client.XTrimMaxLen(ctx, r.KeyChanges(lane), 4).Err())
	if page := r.fetch(h, "", 0); page.Trimmed != 0 || page.Left != 4 || len(page.Entries) > 0 {
		t.Errorf("FetchChanges(0) = %+v, want figures only, 4 left", page)
	}
	if page := r.fetch(h, "", 3); page.Trimmed != 2 || page.Left != 1 || events(page) != "6 7 8" {
		t.Errorf("FetchChanges() = %+v, want 2 trimmed, 1 left", page)
	}
	if page := r.fetch(h, "", 3); page.Trimmed != 0 || page.Left != 0 || events(page) != "9" {
		t.Errorf("FetchChanges() = %+v, want the last", page)
	}
	if page := r.fetch(h, "0", 10); events(page) != ". . . . 6 7 8 9" || page.Trimmed != 0 {
		t.Errorf("pending = %+v, want the first four gone", page)
	}
	// A hand that trims all, what is noted lost: nothing is made up.
	add(5)
	r.must(r.client.XTrimMaxLen(ctx, r.KeyChanges(lane), 0).Err())
	if page := r.fetch(h, "", 10); page.Trimmed != 5 || page.Left != 0 {
		t.Errorf("FetchChanges() = %+v, want 5 trimmed", page)
	}
	r.must(r.client.Del(ctx, r.KeyReaders(lane)).Err())
	add(2)
	if page := r.fetch(h, "", 10); page.Trimmed != 0 || page.Left != 0 || events(page) != "0 1" {
		t.Errorf("FetchChanges() = %+v, want two, none trimmed", page)
	}
}

func TestNews(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		other, broken := check.Lane{Zone: "fra"}, check.Lane{Zone: "broken"}
		from := map[check.Lane]string{lane: "", other: ""}
		for _, block := range []time.Duration{time.Second, 0} {
			from[lane] = ""
			if got, err := r.News(ctx, from, block); len(got) == 0 || err != nil || from[other] == "" || from[lane] == "" {
				t.Errorf("News() = %v, %v, want the new lane at once", got, err)
			}
			if got, err := r.News(ctx, from, min(block, 5*time.Millisecond)); len(got) != 0 || err != nil {
				t.Errorf("News() = %v, %v, want none", got, err)
			}
			r.change("one")
			r.change("two")
			if got, err := r.News(ctx, from, block); len(got) != 1 || got[0] != lane || err != nil {
				t.Errorf("News() = %v, %v, want the lane", got, err)
			}
			if got, err := r.News(ctx, from, min(block, 5*time.Millisecond)); len(got) != 0 || err != nil {
				t.Errorf("News() = %v, %v, want none: both were seen", got, err)
			}
			r.must(r.client.Set(ctx, r.KeyChanges(broken), "junk", 0).Err())
			from[broken] = "0-0"
			r.change("three")
			if got, err := r.News(ctx, from, block); len(got) != 1 || got[0] != lane || err != nil {
				t.Errorf("News() beside a broken lane = %v, %v, want the lane", got, err)
			}
			delete(from, broken)
		}
	})
}

// deliverOnce makes each move of a delivery once: one change is delivered, one
// given up and sent again.
func (r *rig) deliverOnce() {
	r.t.Helper()
	ctx := r.t.Context()
	h := r.take("a/1")
	r.open()
	items := []Resending{{IncidentID: "default/x/1", Event: "one"}, {IncidentID: "default/x/1", Event: "two"}}
	sent, err := r.Resend(ctx, lane, "pager", items)
	r.must(err)
	page := r.fetch(h, "", 10)
	if events(page) != "one two" {
		r.t.Fatalf("sent %v, fetched %+v, want both", sent, page)
	}
	if ok, err := r.Settle(ctx, h, check.Settlement{SIDs: []string{page.Entries[0].SID}, IncidentID: "default/x/1", Ref: "T"}); !ok || err != nil {
		r.t.Errorf("Settle() = %v, %v", ok, err)
	}
	if ok, err := r.Bury(ctx, h, check.DeadLetter{Entry: page.Entries[1].SID, Event: "two"}); !ok || err != nil {
		r.t.Errorf("Bury() = %v, %v", ok, err)
	}
	letters, err := r.DeadLetters(ctx, lane, "", 10)
	if err != nil || len(letters) != 1 || r.client.XPending(ctx, r.KeyChanges(lane), "pager").Val().Count != 0 {
		r.t.Errorf("letters = %+v, %v, want one and nothing pending", letters, err)
	}
	r.must(r.GiveDelivery(ctx, h, "b", time.Minute))
}

// A full server stops no delivery.
func TestDeliveryWhenMemoryIsFull(t *testing.T) {
	t.Parallel()
	r := &rig{Queue: New(redistest.Start(t).Client(t), ""), t: t}
	r.must(r.client.ConfigSet(t.Context(), "maxmemory", "1").Err())
	r.deliverOnce()
}

// TestReadings: who looks from outside sees what waits, and since when.
func TestReadings(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		want := func(waiting, oldest int64) {
			t.Helper()
			got, err := r.Readings(ctx, lane)
			if err != nil || len(got) != 1 || got[0] != (Reading{"pager", waiting, oldest}) {
				t.Errorf("Readings() = %+v, %v, want %d since %d", got, err, waiting, oldest)
			}
		}
		if got, err := r.Readings(ctx, lane); err != nil || len(got) != 0 {
			t.Errorf("Readings() without a stream = %+v, %v, want none", got, err)
		}
		h := r.take("a/1")
		r.open()
		want(0, 0)
		first := r.change("one")
		second := r.change("two")
		got, err := r.Readings(ctx, lane)
		if err != nil || got[0].Waiting < 1 || got[0].Oldest != sidTime(first) { // miniredis cannot tell how many
			t.Errorf("Readings() = %+v, %v, want two since %s", got, err, first)
		}
		r.fetch(h, "", 10)
		want(2, sidTime(first))
		if _, err := r.Settle(ctx, h, check.Settlement{SIDs: []string{first}}); err != nil {
			t.Fatal(err)
		}
		want(1, sidTime(second))
	})
}

// TestDropResolved: what handlers have noted beside an incident goes with it.
func TestDropResolved(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		key := r.KeyIncidents(lane)
		old, young, open := `{"id":"default/a/1","resolved":5}`, `{"id":"default/b/1","resolved":50}`, `{"id":"default/c/1"}`
		r.must(r.client.HSet(ctx, key, "default/a/1", old, "default/a/1/ack", "{}", "default/a/1/pager", "T-1", "default/a/1/e.mail-2", "",
			"default/b/1", young, "default/b/1/pager", "T-2", "default/c/1", open, "default/c/1/pager", "T-3").Err())
		kept, err := r.Incidents(ctx, lane)
		r.must(err)
		if n, err := r.DropResolved(ctx, lane, kept, 10); n != 1 || err != nil {
			t.Errorf("DropResolved() = %d, %v, want 1", n, err)
		}
		left := r.client.HGetAll(ctx, key).Val()
		if len(left) != 4 || left["default/b/1/pager"] != "T-2" || left["default/c/1/pager"] != "T-3" {
			t.Errorf("left are %v, want the other two with their refs", left)
		}
	})
}
