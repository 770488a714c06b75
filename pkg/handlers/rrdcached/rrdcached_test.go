package rrdcached

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/handlers/internal/handlertest"
	"github.com/redpoll/redpoll/pkg/handlers/internal/tools"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, settings map[string]any) *Handler {
	t.Helper()
	text, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	h, err := check.TypedHandler(Defaults(), New(tools.Tools{}))(text)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { handlertest.Close(t, h) })
	return h.(*Handler)
}

// commands gives the commands that an event makes.
func commands(t *testing.T, h *Handler, ev *check.Event) (updates, creates []string) {
	t.Helper()
	var text []byte
	for i := range ev.Result.Metrics {
		longer, ok := h.appendUpdate(text, ev, &ev.Result.Metrics[i])
		if ok {
			text = longer
		}
	}
	all, err := parseUpdates(nil, text)
	if err != nil {
		t.Fatal(err)
	}
	for i := range all {
		updates = append(updates, string(all[i].appendUpdate(nil)))
		creates = append(creates, string(all[i].appendCreate(nil, h.Archives)))
	}
	return updates, creates
}

func TestCommands(t *testing.T) {
	t.Parallel()
	ev := handlertest.Event("..a:b")
	ev.Check.Labels["site"] = "a/../b c\n"
	ev.Started = 1_767_225_600_050
	ev.Result.Metrics = []check.Metric{
		check.Gauge("a-rather-long.name_of_a_metric", -0.25, ""), check.Gauge("nan", math.NaN(), ""), check.Gauge("inf", math.Inf(1), ""),
		check.Counter("in", math.MaxUint64, 64, ""), check.Counter("in32", math.MaxUint32, 32, ""),
	}
	h := open(t, map[string]any{"path": "x/{labels.site}/{labels.none}/{zone}.{id}/{metric}.rrd", "archives": []map[string]any{{"every": "1m", "for": "1h"}}})
	updates, creates := commands(t, h, ev)
	const where = "x/a%2F..%2Fb%20c%0A/none/default.%2E.a%3Ab/"
	want := []string{
		"a-rather-long.name_of_a_metric.rrd 1767225600.050:-0.25", "nan.rrd 1767225600.050:U", "inf.rrd 1767225600.050:U",
		"in.rrd 1767225600.050:18446744073709551615", "in32.rrd 1767225600.050:4294967295",
	}
	for i := range want {
		want[i] = "UPDATE " + where + want[i] + "\n"
	}
	if !slices.Equal(updates, want) {
		t.Errorf("updates %q\nwant    %q", updates, want)
	}
	const rra = " RRA:MIN:0.5:6:60 RRA:AVERAGE:0.5:6:60 RRA:MAX:0.5:6:60\n"
	for i, want := range []string{"DS:a_rather_long_name_:GAUGE:20:U:U", "DS:nan:GAUGE:20:U:U", "DS:inf:GAUGE:20:U:U", "DS:in:DERIVE:20:0:U", "DS:in32:COUNTER:20:0:U"} {
		if !strings.HasSuffix(creates[i], " -O -s 10 -b 1767225590 "+want+rra) {
			t.Errorf("create %q, want %q", creates[i], want)
		}
	}
}

// TestArchives: those of the page, for short and long intervals.
func TestArchives(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		every time.Duration
		want  []string
	}{
		{10 * time.Second, []string{"1:8640", "180:336", "720:372", "4320:732"}},
		{7 * time.Second, []string{"1:12343", "258:335", "1029:372", "6172:732"}},
		{time.Hour, []string{"1:168", "2:372", "12:732"}}, // a week in steps of an hour, and no archive twice
		{7 * 24 * time.Hour, []string{"1:53"}},
		{1500 * time.Millisecond, []string{"1:43200", "900:336", "3600:372", "21600:732"}}, // steps of 2 s
	} {
		u := update{step: seconds(check.Duration(tt.every)), kind: kindGauge, ds: []byte("x")}
		text := string(u.appendCreate(nil, Defaults().Archives))
		for _, want := range tt.want {
			for _, function := range []string{"MIN", "AVERAGE", "MAX"} {
				if !strings.Contains(text, " RRA:"+function+":0.5:"+want) {
					t.Errorf("every %v: %q lacks %s", tt.every, text, want)
				}
			}
		}
		if n := strings.Count(text, "RRA:"); n != 3*len(tt.want) {
			t.Errorf("every %v: %d archives in %q, want %d", tt.every, n, text, 3*len(tt.want))
		}
	}
}

// TestFileNames: what differs stays different, whatever it is.
func TestFileNames(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 128)
	values := []string{"a", "a:b", "a_b", "a%3Ab", "a.b", ".", "..", "...", "%", "%25", "A", strings.Repeat(":", 128), strings.Repeat(":", 127) + ".", long, long[1:] + ":", "é"}
	seen := map[string]string{}
	for _, v := range values {
		name := string(appendEscaped(nil, v))
		if other, taken := seen[name]; taken {
			t.Errorf("%q and %q are both %q", v, other, name)
		}
		seen[name] = v
		if len(name) > maxValue || strings.HasPrefix(name, ".") || strings.ContainsAny(name, "/: \n\\") {
			t.Errorf("%q became %q", v, name)
		}
	}
}

func TestProcess(t *testing.T) {
	t.Parallel()
	h := open(t, map[string]any{"addr": "unix:/no/such/socket", "path": "{labels.long}{labels.long}/{metric}.rrd"})
	cron := handlertest.Event("web1")
	cron.Check.Every, cron.Check.Cron = 0, "* * * * *"
	empty := handlertest.Event("web1")
	empty.Result.Metrics = nil
	for _, ev := range []*check.Event{cron, empty} {
		if err := h.Process(t.Context(), ev); err != nil || h.Stats().Queued > 0 {
			t.Errorf("Process = %v, Stats = %+v, want it passed over", err, h.Stats())
		}
	}
	long := handlertest.Event("web1")
	long.Check.Labels = map[string]string{"long": strings.Repeat("é", 100)}
	if err := h.Process(t.Context(), long); err == nil || h.Stats().Dropped != handlertest.Values {
		t.Errorf("Process = %v, Stats = %+v, want the path too long", err, h.Stats())
	}
}

func TestDead(t *testing.T) {
	t.Parallel()
	handlertest.Dead(t, open(t, map[string]any{"addr": "unix:/no/such/socket", "queue": 1000, "state": true}), handlertest.Values+1)
}

func TestBadSettings(t *testing.T) {
	t.Parallel()
	for settings, field := range map[string]string{
		`{"addr":"x"}`: "addr", `{"addr":":1"}`: "addr", `{"addr":"unix:x"}`: "addr", `{"addr":"/"}`: "",
		`{"path":"x.rrd"}`: "path", `{"path":"{metric} .rrd"}`: "path", `{"path":"../{metric}.rrd"}`: "path", `{"path":"a//{metric}"}`: "path",
		`{"path":"a:{metric}"}`: "path", `{"path":"{metric}/."}`: "path", `{"path":"{metrics}"}`: "path", `{"path":"/abs/{metric}"}`: "",
		`{"queue":1}`: "queue", `{"flush":"0s"}`: "flush", `{"flush":"2m"}`: "flush", `{"archives":[]}`: "archives",
		`{"archives":[{"every":"1h","for":"1m"}]}`: "archives", `{"archives":[{"every":"1s","for":"10000h"}]}`: "archives",
		`{"archives":[{"every":"-1s","for":"1h"}]}`: "archives", `{"pth":""}`: "pth",
	} {
		h, err := check.TypedHandler(Defaults(), New(tools.Tools{}))(json.RawMessage(settings))
		if field == "" && err == nil {
			handlertest.Close(t, h)
			continue
		}
		if field == "" || err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("settings %s = %v, want an error about %q", settings, err, field)
		}
	}
}

// FuzzUpdate: whatever things are called, a value is one command of three words
// for a file below the folder.
func FuzzUpdate(f *testing.F) {
	f.Add("..", "a b\nUPDATE x 1:2\n.", "in.1", 1.5, int64(1))
	f.Add("/etc", "\\", "", math.NaN(), int64(-5))
	f.Fuzz(func(t *testing.T, id, label, metric string, value float64, millis int64) {
		h, err := New(tools.Tools{})(func() Settings { s := Defaults(); s.Path = "{id}/{labels.site}{zone}/{metric}.rrd"; return s }())
		if err != nil {
			t.Fatal(err)
		}
		ev := &check.Event{Started: millis, Check: check.EventCheck{ID: id, Every: check.Duration(time.Second), Labels: map[string]string{"site": label}}}
		m := check.Gauge(metric, value, "")
		text, ok := h.(*Handler).appendUpdate(nil, ev, &m)
		if !ok {
			return
		}
		all, err := parseUpdates(nil, text)
		if err != nil || len(all) != 1 {
			t.Fatalf("%q holds %d updates, %v", text, len(all), err)
		}
		for _, line := range []string{string(all[0].appendUpdate(nil)), string(all[0].appendCreate(nil, nil))} {
			words := strings.Fields(line)
			path := words[1]
			if strings.Count(line, "\n") != 1 || strings.Contains(line, "\\") || strings.HasPrefix(path, "/") || len(strings.Split(path, "/")) != 3 {
				t.Fatalf("line %q", line)
			}
			for part := range strings.SplitSeq(path, "/") {
				if part == "" || part == "." || part == ".." {
					t.Fatalf("path %q", path)
				}
			}
			if words[0] == "UPDATE" && (len(words) != 3 || strings.Count(words[2], ":") != 1) {
				t.Fatalf("line %q", line)
			}
		}
	})
}

func BenchmarkProcess(b *testing.B) {
	h := open(b, map[string]any{"addr": "127.0.0.1:" + fmt.Sprint(sink(b)), "queue": 1_000_000})
	handlertest.Bench(b, h)
}
