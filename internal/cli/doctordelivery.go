package cli

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// stuckFrom is for how long a change may wait for its delivery before doctor
// calls it stuck.
const stuckFrom = time.Minute

// deliveries looks for changes of incidents that do not get to their handlers.
func (d *doctor) deliveries(ctx context.Context, zone string, lanes []check.Lane, live []check.Heartbeat, now int64) {
	var delivers []string
	for _, hb := range live {
		delivers = append(delivers, hb.Delivers...)
	}
	waiting, oldest := map[string]int64{}, map[string]int64{}
	dead := int64(0)
	for _, lane := range lanes {
		list, err := d.conn.Readings(ctx, lane)
		if err != nil {
			return // a wrong type is told by keys
		}
		for _, r := range list {
			waiting[r.Handler] += r.Waiting
			if at := oldest[r.Handler]; r.Oldest != 0 && (at == 0 || r.Oldest < at) {
				oldest[r.Handler] = r.Oldest
			}
		}
		n, err := d.conn.Client().XLen(ctx, d.conn.KeyDead(lane)).Result()
		if err != nil {
			return // likewise
		}
		dead += n
	}
	what := "delivery " + zone
	var fine []string
	for _, handler := range slices.Sorted(maps.Keys(waiting)) {
		wait := time.Duration(now-oldest[handler]) * time.Millisecond
		switch n := count(int(waiting[handler]), "change"); {
		case !slices.Contains(delivers, handler) && waiting[handler] > 0:
			d.bad(what, advice{"alerts are not sent", "start a worker of the zone whose handlers.yaml has " + handler + "; if that is gone for good: XGROUP DESTROY " +
				d.conn.KeyChanges(lanes[0]) + " " + handler + ", HDEL " + d.conn.KeyReaders(lanes[0]) + " " + handler + ", in each lane"},
				"no live worker delivers to %s, %s wait", handler, n)
		case waiting[handler] > 0 && wait > stuckFrom:
			d.bad(what, advice{"alerts are late", "the target of the handler is away or refuses: the log of the worker that delivers says why"},
				"%s wait for %s, the oldest since %s", n, handler, roughly(wait))
		case slices.Contains(delivers, handler):
			fine = append(fine, handler)
		}
	}
	if dead > 0 {
		d.warn(what, advice{"they were given up and are not tried again", "'redpoll deadletters' shows why, --retry sends them, --drop ends them"}, "%s", count(int(dead), "dead letter"))
	}
	if len(fine) > 0 {
		d.ok(what, "%s: nothing is late", strings.Join(fine, ", "))
	}
}
