package redisqueue

import (
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"
)

// Due times of any kind become planned times in whole ms that rise: the score
// itself where it may be one, else now. It does not matter what else is due.
func TestPlannedTimes(t *testing.T) {
	for _, company := range []string{"", "0", "-inf", "1700000000.12"} {
		t.Run("beside "+company, func(t *testing.T) {
			eachQueue(t, func(t *testing.T, r *rig) { r.planTimes(company) })
		})
	}
}

// planTimes runs one check again and again, each time by another due time.
func (r *rig) planTimes(company string) {
	r.t.Helper()
	ctx := r.t.Context()
	base := r.now() - 100_000
	last := int64(0) // planned time of a
	r.set("a", 1, base)
	for i, c := range []struct {
		score string
		want  int64 // 0: now
	}{
		{fmt.Sprint(base), base},
		{fmt.Sprint(base + 10), base + 10},
		{fmt.Sprint(base+20) + ".75", base + 20},
		{fmt.Sprint(base + 20), 0}, // not later than the last
		{fmt.Sprint(base + 30), 0}, // the same: that was now
		{"1900000000.12", 0},       // seconds, in 13 characters
		{"99999999999.5", 0},       // the same
		{"-1234567890.5", 0},       // and here
		{"0", 0}, {"5", 0}, {"-inf", 0},
	} {
		r.must(r.client.Do(ctx, "ZADD", r.KeyDue(lane), c.score, "a").Err())
		if company != "" {
			r.set("b", i, r.now())
			r.must(r.client.Do(ctx, "ZADD", r.KeyDue(lane), company, "b").Err())
		}
		before := r.now()
		r.dispatch()
		for _, l := range r.lease("w/t", r.read("w")...) {
			most := max(r.now(), last+1) // several runs within one ms are planned one after the other
			if now := c.want == 0 && l.Planned >= before && l.Planned <= most; l.ID == "a" && l.Planned != c.want && !now {
				r.t.Errorf("score %s beside %q is planned for %d, want %d (0: now, %d)", c.score, company, l.Planned, c.want, before)
			}
			if text := r.client.XRange(ctx, r.KeyReady(lane), l.SID, l.SID).Val()[0].Values["due"]; text != fmt.Sprint(l.Planned) || r.place(l.ID).Record.Planned != l.Planned {
				r.t.Errorf("score %s beside %q: due %q, record %+v, want %d", c.score, company, text, r.place(l.ID).Record, l.Planned)
			}
			r.complete(done(l, r.now()+3600_000))
			if l.ID == "a" {
				last = l.Planned
			}
		}
		if n := r.client.ZRangeByScore(ctx, r.KeyDue(lane), &redis.ZRangeBy{Min: "-inf", Max: fmt.Sprint(r.now())}).Val(); len(n) > 0 {
			r.t.Fatalf("%v are still due after score %s", n, c.score)
		}
	}
}
