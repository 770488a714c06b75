package cli

import (
	"context"
	"strings"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// keys looks at the types of all keys: a command on a key of another type
// fails, and with it a whole move.
func (d *doctor) keys(ctx context.Context) {
	c := d.conn
	lanes, err := c.Lanes(ctx)
	if err != nil {
		d.bad("zones", advice{"nobody knows which lanes there are", "RENAME " + c.KeyZones() + " " + c.KeyZones() + ":wrong: schedulers write it anew"}, "%s", errText(err))
		return
	}
	want := map[string]string{
		c.KeyIntake(): "stream", c.KeyIntakeLog(): "stream", c.KeyIntakeLock(): "string",
		c.KeyZones(): "hash", c.KeyWorkers(): "hash", c.KeyMeta(): "hash",
	}
	for _, l := range lanes {
		for key, kind := range map[string]string{
			c.KeySpecs(l): "hash", c.KeyDue(l): "zset", c.KeyReady(l): "stream", c.KeyRuns(l): "hash", c.KeyLast(l): "hash",
			c.KeyIncidents(l): "hash", c.KeyResults(l): "stream", c.KeyChanges(l): "stream", c.KeyReaders(l): "hash", c.KeyDead(l): "stream",
		} {
			want[key] = kind
		}
	}
	wrong := 0
	for key, kind := range want {
		have, err := c.Client().Type(ctx, key).Result()
		if err != nil {
			d.unlooked("keys", err)
			return
		}
		if have != "none" && have != kind {
			wrong++
			d.bad("keys", advice{"moves that touch it fail", "RENAME " + key + " " + key + ":wrong"}, "%s is a %s, want a %s", key, have, kind)
		}
	}
	if wrong == 0 {
		d.ok("keys", "%d keys in %d lanes are of the right types", len(want), len(lanes))
	}
	d.future(ctx, lanes)
	d.schema(ctx)
}

// lookInto is into how many lanes doctor looks one by one.
const lookInto = 50

// future looks for entries that are younger than now: Redis' clock was set
// back since they were written.
func (d *doctor) future(ctx context.Context, lanes []check.Lane) {
	now, err := d.conn.Now(ctx)
	if err != nil {
		return // told by clock
	}
	for _, lane := range lanes[:min(len(lanes), lookInto)] {
		for _, key := range []string{d.conn.KeyReady(lane), d.conn.KeyResults(lane)} {
			info, err := d.conn.Client().XInfoStream(ctx, key).Result()
			if err != nil {
				continue // it is not there, or of another type, which keys told
			}
			ahead := time.Duration(redisqueue.EntryTime(info.LastGeneratedID)-now) * time.Millisecond
			if ahead > time.Second {
				d.warn("clock", advice{"due times and leases wait for a time that was already; repair pulls them back", "keep the clock of Redis' host steady: NTP that slews"},
					"the newest entry of %s lies %s ahead: the clock of Redis was set back", key, roughly(ahead))
				return
			}
		}
	}
}

func (d *doctor) schema(ctx context.Context) {
	schema, err := d.conn.Client().HGet(ctx, d.conn.KeyMeta(), "schema").Int()
	if err == nil && schema > redisqueue.Schema {
		d.bad("schema", advice{"this redpoll does not know what stands in these keys", "upgrade this redpoll"}, "the keys are of schema %d, this redpoll knows %d", schema, redisqueue.Schema)
	}
}

// scripts tries the way that every move takes.
func (d *doctor) scripts(ctx context.Context) {
	err := d.conn.Client().Eval(ctx, "return 1", nil).Err()
	switch {
	case err == nil:
	case strings.Contains(err.Error(), "NOPERM"):
		d.unlooked("scripts", err)
	default:
		d.bad("scripts", advice{"every move of redpoll is a script", "let this user run EVAL and EVALSHA; a Redis without them cannot be used"}, "%s", errText(err))
	}
}
