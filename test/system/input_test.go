package system

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Bad requests are answered with what is wrong, and nothing else happens.
func TestBadRequests(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.up(2, 2)
	f.add(30, time.Second)
	tests := []struct{ name, line, want string }{
		{"unknown command", "id x command htpp every 30s", "http"},
		{"unknown field", "id x command tcp every 30s evry 30s params.host h params.port 1", "evry"},
		{"unknown param", "id x command tcp every 30s params.hots h params.host h params.port 1", "hots"},
		{"no unit", "id x command tcp every 10 params.host h params.port 1", "every"},
		{"too fast", "id x command tcp every 500ms params.host h params.port 1", "every"},
		{"no duration", `id x command tcp every "five minutes" params.host h params.port 1`, "five minutes"},
		{"no schedule", "id x command tcp params.host h params.port 1", "every"},
		{"two schedules", `id x command tcp every 30s cron "* * * * *" params.host h params.port 1`, "cron"},
		{"broken cron", `id x command tcp cron "61 * * * *" params.host h params.port 1`, "61"},
		{"broken param", "id x command tcp every 30s params.host h params.port 99999", "port"},
		{"no id", "command tcp every 30s params.host h params.port 1", "id"},
		{"id with spaces", `id "a b" command tcp every 30s params.host h params.port 1`, "id"},
		{"id that is a key", `id "redpoll:{default:0}:due" command tcp every 30s params.host h params.port 1`, "id"},
		{"zone", "id x zone Zürich command tcp every 30s params.host h params.port 1", "zone"},
		{"giant spec", "id x command tcp every 30s params.host h params.port 1 params.send " + strings.Repeat("x", 70_000), "65536"},
		{"too long to be read", "id x command tcp every 30s params.host h params.port 1 params.send " + strings.Repeat("x", 300_000), "300056 bytes"},
		{"invalid UTF-8", `id x command tcp every 30s params.host h params.port 1 labels.site "\xff\xfe"`, "UTF-8"},
		{"nul", `id "x\x00y" command tcp every 30s params.host h params.port 1`, "id"},
		{"broken JSON", `spec '{"id":"x"'`, "JSON"},
		{"JSON and fields", `id x spec '{"id":"x","command":"tcp","every":"30s"}'`, "spec"},
		{"unknown operation", "op remove id x", "delete"},
		{"nothing there", "op delete id nobody", "nobody"},
		{"rubbish", "foo bar", "foo"},
	}
	for _, tt := range tests {
		v, reason := f.ask("XADD redpoll:intake * " + tt.line)
		if v != "rejected" || !strings.Contains(reason, tt.want) {
			t.Errorf("%s: %s, %.200s; want it rejected with a word of %s", tt.name, v, reason, tt.want)
		}
		if len(reason) > 2000 {
			t.Errorf("%s: the reason has %d bytes", tt.name, len(reason))
		}
	}
	if out := f.cli("HKEYS", key("specs")); strings.Contains(out, "x\n") || strings.Count(out, "\n") != 29 {
		t.Errorf("specs hold\n%s\nwant those of c000 to c029 alone", out)
	}
	f.finish(bounds{gap: time.Second})
	f.noRepairs()
}

// What somebody writes into the wrong place is mended or dropped, and named in
// the log.
func TestJunk(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.up(2, 2)
	f.add(30, time.Second)
	goes := func(what string, ids ...string) {
		begun := time.Now()
		f.eventually(byHand, func() error {
			for _, id := range ids {
				if f.target.since(id, begun) < 3 {
					return fmt.Errorf("after %s: %s does not go on", what, id)
				}
			}
			return nil
		})
	}
	f.cli("ZADD", key("due"), fmt.Sprint(time.Now().Unix()+5), "c000")
	f.cli("ZADD", key("due"), "+inf", "c001")
	f.cli("ZADD", key("due"), "-inf", "c002")
	f.cli("ZADD", key("due"), "1e300", "c003")
	f.cli("ZADD", key("due"), "-5.5", "c004")
	f.cli("ZADD", key("due"), "0", "nobody")
	goes("odd scores", "c000", "c001", "c002", "c003", "c004")

	for i, junk := range []string{"junk", "", "w - 1 2", strings.Repeat("x", 100_000), "l - 99999999999999999999 1-1 me/x 0 0 1-0 - x 0", "\xff\x00"} {
		id := fmt.Sprintf("c%03d", 5+i)
		f.client.HSet(t.Context(), key("runs"), id, junk) // no argument of redis-cli holds a nul
		f.client.HSet(t.Context(), key("last"), fmt.Sprintf("c%03d", 15+i), junk)
	}
	goes("junk in runs and last", f.all()...)
	f.cli("HSET", key("last"), "nobody", "x")
	f.cli("HSET", key("runs"), "nobody2", "x")
	f.cli("XADD", key("ready"), "*", "foo", "bar")
	f.cli("XADD", key("ready"), "*", "id", "c025", "due", "never")
	f.cli("XADD", key("ready"), "*", "id", "nobody", "due", "1")
	goes("junk in ready", "c025")
	f.cli("HSET", "redpoll:zones", "Junk zone", "x")
	f.cli("HSET", "redpoll:zones", "junk", "-1 1000000000")
	f.cli("HSET", "redpoll:workers", "junk", "x")
	goes("junk in zones", "c026")
	f.cli("HDEL", "redpoll:zones", "Junk zone", "junk")
	sum := f.finish(bounds{doubles: 1, offGrid: 2, gap: byHand})
	t.Logf("repaired %v, %d doubles", f.repairs(), sum.Doubles)
}

// A key that somebody made something else of stops its own lane or loop alone,
// and the log names it. When it is gone everything goes on.
func TestWrongTypes(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.scheduler("s1")
	// The lease outlasts the harm: a run that cannot be written down is no crash.
	f.worker("w1", "-zones", "default,lab", "-lease", "20s")
	f.ready(f.running("")...)
	f.add(30, time.Second)
	f.accepted(f.addLine("lab1", "1s", "zone lab"))
	f.cli("ZADD", key("due"), "0", "nobody")
	for _, name := range []string{
		"redpoll:{lab:0}:due", "redpoll:{lab:0}:ready", "redpoll:{lab:0}:runs", "redpoll:{lab:0}:last", "redpoll:{lab:0}:results",
		"redpoll:workers", "redpoll:zones", "redpoll:intake:log", "redpoll:intake", "redpoll:intake:lock", "redpoll:meta",
	} {
		broken := time.Now()
		before := f.logSize()
		f.spoil(name)
		if name == "redpoll:intake:log" {
			f.lines(f.addLine("lab2", "1s", "zone lab")) // without one nobody looks
		}
		pass(t, time.Second)
		f.goOn(broken, 2, 5*time.Second)
		// A version is read when a process starts, and a set bit stops nobody.
		if name != "redpoll:meta" {
			f.eventually(3*time.Second, func() error {
				if out := f.logSince(before); !strings.Contains(out, name) {
					return fmt.Errorf("no line of the log names %s:\n%s", name, out)
				}
				return nil
			})
		}
		f.cli("DEL", name)
		mended := time.Now()
		f.eventually(byHand, func() error {
			if f.target.since("lab1", mended) == 0 {
				return fmt.Errorf("lab1 does not run after %s was mended", name)
			}
			return nil
		})
	}
	// Who made an id due without a spec had a minute to write one.
	f.eventually(time.Minute, func() error {
		if out := f.logSince(nil); !strings.Contains(out, "check=nobody op=due verdict=rejected") {
			return fmt.Errorf("no verdict on an id that is due without a spec")
		}
		return nil
	})
	f.finish(bounds{gap: 3 * time.Second})
}

// spoil makes a key of the wrong type, so that nobody writes it in between.
func (f *fleet) spoil(name string) {
	f.Helper()
	ctx := f.Context()
	_, err := f.client.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.Del(ctx, name)
		if name == "redpoll:intake:lock" {
			p.HSet(ctx, name, "a", "b")
		} else {
			p.Set(ctx, name, "junk", 0)
		}
		return nil
	})
	if err != nil {
		f.Fatal(err)
	}
}

// logSize and logSince remember and read what all processes have logged.
func (f *fleet) logSize() map[*proc]int {
	sizes := map[*proc]int{}
	for _, p := range f.running("") {
		sizes[p] = len(p.Logs.String())
	}
	return sizes
}

func (f *fleet) logSince(sizes map[*proc]int) string {
	var out strings.Builder
	for _, p := range f.running("") {
		out.WriteString(p.Logs.String()[sizes[p]:])
	}
	return out.String()
}
