package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// nasty draws on a terminal, or turns its text around, if it gets there.
const nasty = "\x1b]0;owned\x07\x1b[2J\u009b31m\u202e\u2066\u2028\x7f\x00\r\nnext"

// drawn finds what a terminal would obey.
func drawn(text string) (string, bool) {
	for i, r := range text {
		if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029') {
			return fmt.Sprintf("%U in %q", r, text[max(i-60, 0):min(i+20, len(text))]), true
		}
	}
	return "", false
}

// plantNasty fills a Redis with texts that hold it everywhere.
func plantNasty(t *testing.T, c *redis.Client) {
	t.Helper()
	q := redisqueue.New(c, "")
	lane := check.Lane{Zone: check.DefaultZone}
	now := time.Now().UnixMilli()
	text := func(v any) string {
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	result := check.Result{State: check.StateCrit, Reason: nasty, Text: nasty, At: time.Now(), Metrics: []check.Metric{{Name: nasty, Value: 1, Unit: nasty}}}
	incident := check.Incident{ID: "default/a/1", To: check.StateCrit, Opened: now, Reason: nasty, Text: nasty}
	ev := check.Event{
		Check:  check.EventCheck{ID: "a", Zone: "default", Command: nasty, Labels: map[string]string{"site": nasty}, Meta: map[string]any{"m": nasty}},
		Result: result, Planned: now, Started: now, Finished: now, Worker: nasty, Held: nasty, Rev: nasty, Change: check.ChangeOpen, Incident: &incident,
	}
	spec := text(map[string]any{"id": "a", "command": "tcp", "every": "30s", "meta": map[string]any{"x": nasty}, "labels": map[string]string{"site": nasty}, "params": map[string]any{"host": nasty, "port": 1}})
	var errs []error
	do := func(args ...any) { errs = append(errs, c.Do(t.Context(), args...).Err()) }
	do("HSET", q.KeyZones(), "default", "1 1")
	do("HSET", q.KeyMeta(), "schema", "1")
	for _, id := range []string{"a", nasty} {
		do("HSET", q.KeySpecs(lane), id, spec)
		do("HSET", q.KeyLast(lane), id, text(ev))
		do("HSET", q.KeyRuns(lane), id, "w - 1 - - 0 0 1-1 - "+nasty+" 0")
		do("ZADD", q.KeyDue(lane), now, id)
		do("HSET", q.KeyIncidents(lane), "default/"+id+"/1", text(incident))
		do("HSET", q.KeyIncidents(lane), "default/"+id+"/1/ack", text(map[string]any{"by": nasty, "comment": nasty, "at": now}))
		do("HSET", q.KeyWorkers(), id, text(check.Heartbeat{Name: id, Zones: []string{"default", nasty}, Commands: []string{nasty}, Handlers: []string{nasty}, Version: nasty, At: now, Every: 60_000}))
		do("HSET", q.KeyDowntimes(), id, `{"id":"`+"x"+`","comment":`+text(nasty)+`}`)
	}
	do("HSET", q.KeySpecs(lane), "junk", nasty)
	for range 3 {
		do("XADD", q.KeyResults(lane), "*", "event", text(ev))
		do("XADD", q.KeyResults(lane), "*", "event", nasty)
		do("XADD", q.KeyChanges(lane), "*", "event", text(ev))
		do("XADD", q.KeyDead(lane), "*", "event", text(ev), "handler", nasty, "reason", nasty, "attempts", nasty, "at", nasty, "entry", nasty)
		do("XADD", q.KeyIntakeLog(), "*", "entry", "1-1", "zone", nasty, "id", nasty, "op", nasty, "verdict", nasty, "reason", nasty)
	}
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestNothingDrawsOnTheTerminal: whatever stands in Redis, no verb prints what a
// terminal would obey, in any format, also not in its errors.
func TestNothingDrawsOnTheTerminal(t *testing.T) {
	t.Parallel()
	m := miniredis.RunT(t)
	c := redis.NewClient(&redis.Options{Addr: m.Addr(), DisableIdentity: true})
	t.Cleanup(func() { _ = c.Close() })
	plantNasty(t, c)
	lines := []string{
		"get", "describe a", "results -n 5", "trace a", "incidents --all", "due", "workers", "top --once", "deadletters", "downtime list", "zones", "get -l site", "results --replay x --from 1h --dry-run", "verify --wait 1ms", "doctor", "export", "diff -f -", "get " + nasty, "describe " + nasty,
		"ack default/a/1 --wait 1ms", "run --local " + nasty, "add " + nasty + " tcp --every 1m --wait 1ms", "add b tcp --every 1m --dry-run meta=" + nasty, "delete a --wait 1ms",
	}
	printed := 0
	for _, line := range lines {
		verb, rest, _ := strings.Cut(line, " ")
		args := []string{verb}
		switch {
		case strings.Contains(rest, nasty):
			before, after, _ := strings.Cut(rest, nasty)
			args = append(append(append(args, strings.Fields(before)...), nasty), strings.Fields(after)...)
		default:
			args = append(args, strings.Fields(rest)...)
		}
		for _, format := range []string{formatTable, formatWide, formatJSON, formatJSONL, formatYAML, formatName} {
			if verb == "doctor" && format != formatTable && format != formatJSON {
				continue // it takes its time, and prints by the same means
			}
			var out, errs strings.Builder
			s := Streams{Getenv: func(string) string { return "" }, Stdin: strings.NewReader(nasty), Stdout: &out, Stderr: &errs}
			Main(t.Context(), append(args, "--redis", "redis://"+m.Addr(), "-o", format), s)
			for _, text := range []string{out.String(), errs.String()} {
				if where, bad := drawn(text); bad {
					t.Errorf("redpoll %q -o %s prints %s", line, format, where)
				}
			}
			printed += out.Len()
		}
	}
	if printed < 20_000 {
		t.Errorf("all verbs printed %d bytes together: this looks at less than it should", printed)
	}
}
