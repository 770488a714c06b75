package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

func TestSelector(t *testing.T) {
	t.Parallel()
	c := &check.Check{Labels: map[string]string{"site": "fra", "kind": "web"}}
	tests := []struct {
		texts string
		want  bool
	}{
		{"", true}, {"site=fra", true}, {"site=ham", false}, {"site!=ham", true}, {"site!=fra", false}, {"site", true}, {"rack", false},
		{"rack!=4", true}, {"site=fra kind=web", true}, {"site=fra,kind=dns", false}, {"site=fra kind=dns", false}, {"site=", false},
	}
	for _, tt := range tests {
		sel, err := parseSelector(strings.Fields(tt.texts))
		if got := sel.match(c); err != nil || got != tt.want {
			t.Errorf("selector %q matches = %t, %v, want %t", tt.texts, got, err, tt.want)
		}
	}
	for _, bad := range []string{"=fra", "!=fra", "a=b,"} {
		if _, err := parseSelector([]string{bad}); err == nil {
			t.Errorf("parseSelector(%q) has no error", bad)
		}
	}
}

func TestVersions(t *testing.T) {
	t.Parallel()
	tests := []struct {
		version string
		valkey  bool
		want    string
	}{
		{"6.0.16", false, "bad"}, {"6.2.19", false, "warn"}, {"6.2.20", false, "ok"}, {"7.0.15", false, "warn"}, {"7.2.11", false, "ok"},
		{"7.4.5", false, "warn"}, {"7.4.8", false, "warn"}, {"7.4.9", false, "ok"}, {"8.0.3", false, "warn"}, {"8.0.4", false, "ok"}, {"8.2.1", false, "warn"},
		{"8.2.5", false, "warn"}, {"8.2.6", false, "ok"}, {"8.2.10", false, "ok"}, {"8.4.2", false, "warn"}, {"8.4.3", false, "ok"}, {"8.6.2", false, "warn"}, {"8.8.0", false, "ok"},
		{"9.0", false, "ok"}, {"10.0.0", false, "ok"}, {"", false, "skip"}, {"7.2.10", true, "warn"}, {"7.2.12", true, "warn"}, {"7.2.13", true, "ok"},
		{"8.0.5", true, "warn"}, {"8.0.8", true, "ok"}, {"8.1.3", true, "warn"}, {"8.1.6", true, "warn"}, {"8.1.7", true, "ok"}, {"9.0.3", true, "warn"}, {"9.1.0", true, "ok"},
	}
	for _, tt := range tests {
		d := &doctor{}
		if tt.valkey {
			d.version("", "7.2.4", tt.version)
		} else {
			d.version("", tt.version, "")
		}
		if got := d.list[0].How; got != tt.want {
			t.Errorf("version %q (Valkey: %t) is %s, want %s", tt.version, tt.valkey, got, tt.want)
		}
	}
}

func TestTransport(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"redis://127.0.0.1:6379/0": "ok", "redis://ops:hush@127.0.0.1": "ok", "unix:///run/redis.sock": "ok", "redis://[::1]:6379": "ok",
		"redis://redis.example:6379": "warn", "rediss://redis.example": "ok", "redis+cluster://192.0.2.1:7000": "warn", "rediss+cluster://192.0.2.1:7000": "ok",
	} {
		d := &doctor{app: &app{}}
		d.app.opt.redis = url
		if d.transport(); d.list[0].How != want {
			t.Errorf("transport of %s is %s, want %s", url, d.list[0].How, want)
		}
	}
}

func TestRoughly(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0s", 1500 * time.Microsecond: "2ms", 1250 * time.Millisecond: "1.3s", 30 * time.Second: "30s", 5 * time.Minute: "5m",
		61500 * time.Millisecond: "1m2s", 3*time.Hour + 12*time.Minute: "3h12m", 2 * time.Hour: "2h", 49 * time.Hour: "2d1h",
	} {
		if got := roughly(d); got != want {
			t.Errorf("roughly(%s) = %q, want %q", d, got, want)
		}
	}
	if got := ago(-time.Minute); got != "in 1m" {
		t.Errorf("ago(-1m) = %q", got)
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	want, err := check.Parse([]byte(`{"id":"a","command":"tcp","every":"1m","params":{"host":"192.0.2.1","l":[1,2]},"labels":{"x":"y"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if d, ok := compare("", want); !ok || d.Change != "add" {
		t.Errorf("compare with nothing = %+v, %t", d, ok)
	}
	same := `{"every":"60s","command":"tcp","id":"a","timeout":"10s","params":{"l":[1,2],"host":"192.0.2.1"},"labels":{"x":"y"}}`
	if d, ok := compare(same, want); ok {
		t.Errorf("compare with the same in other words = %+v", d)
	}
	d, ok := compare(`{"id":"a","command":"tcp","every":"1m","params":{"host":"192.0.2.1","l":[1]},"paused":true}`, want)
	var got []string
	for _, f := range d.Fields {
		got = append(got, f.Field+" "+f.Old+" "+f.New)
	}
	if s := strings.Join(got, "|"); !ok || s != `labels.x  "y"|params.l [1] [1,2]|paused true ` {
		t.Errorf("compare = %q, %t", s, ok)
	}
	if d, ok := compare("{rubbish", want); !ok || d.Change != "change" {
		t.Errorf("compare with rubbish = %+v, %t", d, ok)
	}
}

func TestAhead(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 30, 0, time.UTC)
	for text, want := range map[string]int64{
		`"every":"30s"`:               60_000,
		`"every":"168h"`:              1_209_600_000,
		`"cron":"* * * * *"`:          90_000,
		`"cron":"*/15 * * * *"`:       1_770_000,
		`"cron":"0 12 * * *"`:         172_770_000,
		`"at":"2026-03-02T00:00:00Z"`: 0,
		`"at":"2020-01-01T00:00:00Z"`: 0,
	} {
		c, err := check.Parse([]byte(`{"id":"a","command":"tcp",` + text + `}`))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if got := ahead(c, now); got != want {
			t.Errorf("ahead(%s) = %d, want %d", text, got, want)
		}
	}
}
