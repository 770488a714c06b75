package scheduler

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// downtimeText reads what stands in the list.
func (r *rig) downtimeText(id string) string {
	r.t.Helper()
	text, err := r.Downtime(r.t.Context(), id)
	r.must(err)
	return text
}

func TestDowntimeRequests(t *testing.T) {
	eachRig(t, func(t *testing.T, r *rig) {
		r.want(accepted, set("web1", "1h")...)
		v := r.want(accepted, "op", "downtime", "checks", "web1,db*", "for", "1h", "by", "ann")
		if v.ID != v.Entry || v.Op != "downtime" || v.Zone != "default" || v.Reason != "" {
			t.Errorf("verdict = %+v, want the entry's id and no note", v)
		}
		d, err := check.ParseDowntime(r.downtimeText(v.ID))
		if err != nil || d.From.UnixMilli() != entryMS(v.Entry) || d.Until.Sub(d.From) != time.Hour || d.By != "ann" {
			t.Errorf("downtime = %+v, %v", d, err)
		}
		v = r.want(accepted, "op", "downtime", "id", "maint", "checks", "web1,web2", "for", "1h")
		if !strings.Contains(v.Reason, "there is no check web2 in zone default") {
			t.Errorf("note = %q", v.Reason)
		}
		r.want(accepted, "op", "downtime", "id", "maint", "zone", "*", "labels.site", "fra", "cron", "0 2 * * SUN", "timezone", "Europe/Berlin", "for", "2h")
		if d, err := check.ParseDowntime(r.downtimeText("maint")); err != nil || d.Zone != "*" || len(d.Checks) != 0 || d.Cron == "" {
			t.Errorf("replaced = %+v, %v", d, err)
		}
		for want, words := range map[string][]string{
			"until: 2020-01-01T00:00:00Z is past":        {"op", "downtime", "checks", "a", "from", "2019-12-31T00:00:00Z", "until", "2020-01-01T00:00:00Z"},
			"checks: is missing":                         {"op", "downtime", "for", "1h"},
			"there is no downtime nix":                   {"op", "downtime-delete", "id", "nix"},
			"until: 2020-01-01T00:00:00Z is not after f": {"op", "downtime", "checks", "a", "until", "2020-01-01T00:00:00Z"},
		} {
			if v := r.want(rejected, words...); !strings.Contains(v.Reason, want) {
				t.Errorf("%q: %q, want %q", words, v.Reason, want)
			}
		}
		r.want(accepted, "op", "downtime-delete", "id", "maint", "by", "eve")
		if d, err := check.ParseDowntime(r.downtimeText("maint")); err != nil || d.Deleted == 0 {
			t.Errorf("deleted = %+v, %v", d, err)
		}
		r.want(rejected, "op", "downtime-delete", "id", "maint")
		r.want(accepted, "op", "downtime", "id", "maint", "checks", "*", "for", "1h")
		if d, err := check.ParseDowntime(r.downtimeText("maint")); err != nil || d.Deleted != 0 {
			t.Errorf("made anew = %+v, %v", d, err)
		}
		r.quiet()
	})
}

// One page of requests with checks and downtimes of the same names is applied
// in order.
func TestDowntimesAndChecksInOnePage(t *testing.T) {
	eachRig(t, func(t *testing.T, r *rig) {
		for i := range 5 {
			id := fmt.Sprintf("x%d", i)
			r.request(set(id, "1h")...)
			r.request("op", "downtime", "id", id, "checks", id, "zone", "fra", "for", "1h")
			r.request("op", "downtime-delete", "id", id)
			r.request(set(id, "2h")...)
			r.request("op", "downtime", "id", id, "checks", id, "for", "2h")
			r.request("op pause id " + id)
		}
		r.takeIn()
		for _, v := range r.verdicts() {
			if v.Verdict != accepted {
				t.Errorf("verdict %+v", v)
			}
		}
		for i := range 5 {
			id := fmt.Sprintf("x%d", i)
			d, err := check.ParseDowntime(r.downtimeText(id))
			if err != nil || d.Until.Sub(d.From) != 2*time.Hour || d.ZoneName() != "default" {
				t.Errorf("%s = %+v, %v", id, d, err)
			}
			if p := r.place(id); !strings.Contains(p.Spec, `"2h"`) || !p.Record.Paused {
				t.Errorf("%s = %+v", id, p)
			}
		}
		r.quiet()
	})
}

// A scheduler that comes late brings no deleted downtime back.
func TestLateSchedulerBringsNoDowntimeBack(t *testing.T) {
	eachRig(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		r.request("op", "downtime", "id", "maint", "checks", "*", "for", "1h")
		late, err := r.IntakeNew(ctx, 10, 0)
		r.must(err)
		r.st = newState() // another one, that finds it pending
		r.takeIn()
		r.want(accepted, "op", "downtime-delete", "id", "maint")
		slow := r.scheduler(r.Queue)
		slow.held.Store(time.Now().Add(time.Hour).UnixNano())
		for _, again := range []bool{false, true} {
			if _, err := slow.apply(ctx, late, again); err != nil {
				t.Fatal(err)
			}
		}
		if d, err := check.ParseDowntime(r.downtimeText("maint")); err != nil || d.Deleted == 0 {
			t.Errorf("downtime = %+v, %v, want it deleted", d, err)
		}
	})
}

func TestCleanDowntimes(t *testing.T) {
	eachRig(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		now := r.now()
		ago := func(d time.Duration) string { return time.UnixMilli(now).UTC().Add(-d).Format(time.RFC3339) }
		once := func(id string, ended time.Duration) string {
			return fmt.Sprintf(`{"id":%q,"checks":["*"],"from":%q,"until":%q}`, id, ago(ended+time.Hour), ago(ended))
		}
		texts := map[string]string{
			"over": once("over", 61*time.Minute), "just-over": once("just-over", 50*time.Minute), "now": once("now", -time.Hour),
			"nightly": `{"id":"nightly","checks":["*"],"cron":"0 2 * * *","for":"1h"}`,
			"gone":    fmt.Sprintf(`{"id":"gone","entry":"5-0","deleted":%d}`, now-25*3_600_000),
			"fresh":   fmt.Sprintf(`{"id":"fresh","entry":"5-0","deleted":%d}`, now-23*3_600_000),
			"junk":    "junk",
		}
		for id, text := range texts {
			r.must(r.client.HSet(ctx, r.KeyDowntimes(), id, text).Err())
		}
		r.must(r.s.cleanDowntimes(ctx))
		left, err := r.Downtimes(ctx)
		r.must(err)
		for id := range texts {
			if _, there := left[id]; there != (id != "over" && id != "gone") {
				t.Errorf("%s is there: %v", id, there)
			}
		}
	})
}

func TestTooManyDowntimes(t *testing.T) {
	eachRig(t, func(t *testing.T, r *rig) {
		fields := map[string]string{}
		for i := range check.MaxDowntimes {
			fields[fmt.Sprint(i)] = "{}"
		}
		r.must(r.client.HSet(t.Context(), r.KeyDowntimes(), fields).Err())
		if v := r.want(rejected, "op", "downtime", "checks", "*", "for", "1h"); !strings.Contains(v.Reason, "too many") {
			t.Errorf("one more: %q", v.Reason)
		}
		r.want(accepted, "op", "downtime", "id", "7", "checks", "*", "for", "1h")
	})
}

// The list is no hash: its requests are rejected, others go on.
func TestDowntimesOfTheWrongType(t *testing.T) {
	eachRig(t, func(t *testing.T, r *rig) {
		r.must(r.client.Set(t.Context(), r.KeyDowntimes(), "x", 0).Err())
		r.request("op", "downtime", "checks", "*", "for", "1h")
		r.want(accepted, set("a", "1h")...)
		if v := r.verdicts()[0]; v.Verdict != rejected || !strings.Contains(v.Reason, r.KeyDowntimes()) {
			t.Errorf("verdict = %+v, want it rejected with the key", v)
		}
	})
}
