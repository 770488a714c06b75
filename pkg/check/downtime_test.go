package check

import (
	"strings"
	"testing"
	"time"
)

// downtimeOf reads a request's fields and accepts it at an instant.
func downtimeOf(t *testing.T, when string, words ...string) *Downtime {
	t.Helper()
	r, err := ParseRequest(entry(append([]string{"op", "downtime"}, words...)...))
	if err != nil {
		t.Fatal(err)
	}
	ms := at(t, when).UnixMilli()
	if err := r.Downtime.Accept("5-0", ms); err != nil {
		t.Fatal(err)
	}
	return r.Downtime
}

func TestDowntimeTouches(t *testing.T) {
	t.Parallel()
	const made = "2026-05-01T00:00:00Z"
	once := downtimeOf(t, made, "checks", "*", "from", "2026-05-01T10:00:00Z", "until", "2026-05-01T11:00:00Z")
	now := downtimeOf(t, made, "checks", "*", "for", "30m")
	nightly := downtimeOf(t, made, "checks", "*", "cron", "0 22 * * *", "for", "4h")
	// Clocks in Berlin go from 02:00 to 03:00 on 29 March, from 03:00 to 02:00
	// on 25 October 2026.
	berlin := downtimeOf(t, made, "checks", "*", "cron", "30 2 * * SUN", "timezone", "Europe/Berlin", "for", "1h")
	gone := *once
	gone.Deleted = 1
	tests := []struct {
		name     string
		d        *Downtime
		from, to string
		want     bool
	}{
		{"before", once, "2026-05-01T09:00:00Z", "2026-05-01T09:59:59.999Z", false},
		{"into it", once, "2026-05-01T09:00:00Z", "2026-05-01T10:00:00Z", true},
		{"inside", once, "2026-05-01T10:30:00Z", "2026-05-01T10:30:01Z", true},
		{"out of it", once, "2026-05-01T10:59:59.999Z", "2026-05-01T11:30:00Z", true},
		{"around it", once, "2026-05-01T09:00:00Z", "2026-05-01T12:00:00Z", true},
		{"its end is outside", once, "2026-05-01T11:00:00Z", "2026-05-01T11:30:00Z", false},
		{"from the request on", now, "2026-05-01T00:00:00Z", "2026-05-01T00:00:01Z", true},
		{"for its time", now, "2026-05-01T00:30:00Z", "2026-05-01T00:30:01Z", false},
		{"deleted", &gone, "2026-05-01T10:30:00Z", "2026-05-01T10:30:01Z", false},
		{"each night", nightly, "2026-07-09T22:00:00Z", "2026-07-09T22:00:01Z", true},
		{"over midnight", nightly, "2027-01-01T01:59:59Z", "2027-01-01T01:59:59Z", true},
		{"in the morning", nightly, "2027-01-01T02:00:00Z", "2027-01-01T02:00:01Z", false},
		{"between", nightly, "2027-01-01T12:00:00Z", "2027-01-01T12:00:01Z", false},
		{"summer", berlin, "2026-06-07T00:30:00Z", "2026-06-07T00:30:00Z", true},
		{"winter", berlin, "2026-01-04T01:30:00Z", "2026-01-04T01:30:00Z", true},
		{"winter, at the hour of summer", berlin, "2026-01-04T00:45:00Z", "2026-01-04T00:45:00Z", false},
		{"the gap: at its end", berlin, "2026-03-29T01:00:00Z", "2026-03-29T01:00:00Z", true},
		{"the gap: an hour from there", berlin, "2026-03-29T01:59:59Z", "2026-03-29T01:59:59Z", true},
		{"the gap: no longer", berlin, "2026-03-29T02:00:00Z", "2026-03-29T02:00:00Z", false},
		{"the hour that comes twice: the first time", berlin, "2026-10-25T00:30:00Z", "2026-10-25T00:30:00Z", true},
		{"the hour that comes twice: the second is not a new one", berlin, "2026-10-25T01:30:00Z", "2026-10-25T01:40:00Z", false},
	}
	for _, tt := range tests {
		if got := tt.d.Touches(at(t, tt.from).UnixMilli(), at(t, tt.to).UnixMilli()); got != tt.want {
			t.Errorf("%s: Touches(%s, %s) = %v, want %v", tt.name, tt.from, tt.to, got, tt.want)
		}
		back, err := ParseDowntime(tt.d.Text())
		if err != nil || back.Text() != tt.d.Text() {
			t.Errorf("%s: %s read back: %v, %v", tt.name, tt.d.Text(), back, err)
		}
	}
}

func TestDowntimeCovers(t *testing.T) {
	t.Parallel()
	c := &Check{ID: "web1.fra", Zone: "fra", Labels: map[string]string{"site": "fra", "kind": "web"}}
	for words, want := range map[string]bool{
		"zone=fra checks=web1.fra":                         true,
		"zone=fra checks=web?.fra":                         true,
		"zone=fra checks=db*,web*":                         true,
		"zone=fra checks=web1":                             false,
		"zone=fra checks=*":                                true,
		"checks=*":                                         false, // the zone default
		"zone=* checks=*":                                  true,
		"zone=* labels.site=fra":                           true,
		"zone=* labels.site=fra labels.kind=web":           true,
		"zone=* labels.site=fra labels.kind=db":            false,
		"zone=* labels.rack=":                              false,
		"zone=fra checks=web* labels.site=ham":             false,
		"zone=fra checks=db* labels.site=fra":              false,
		"zone=fra checks=*web1*":                           true,
		"zone=fra checks=?":                                false,
		"zone=fra checks=w*a*b*c*d*e*f*g*h*i*j*k*l*m*n*o*": false,
	} {
		var list []string
		for _, w := range strings.Fields(words) {
			k, v, _ := strings.Cut(w, "=")
			list = append(list, k, v)
		}
		d := downtimeOf(t, "2026-05-01T00:00:00Z", append(list, "for", "1h")...)
		if got := d.Covers(c); got != want {
			t.Errorf("%s: Covers = %v, want %v", words, got, want)
		}
	}
}

func TestDowntimesOf(t *testing.T) {
	t.Parallel()
	list := Downtimes{
		downtimeOf(t, "2026-05-01T00:00:00Z", "id", "b", "checks", "web1", "for", "1h"),
		downtimeOf(t, "2026-05-01T00:00:00Z", "id", "a", "checks", "web*", "for", "1h"),
		downtimeOf(t, "2026-05-01T00:00:00Z", "id", "0", "checks", "web*", "for", "1m"),
	}
	now := at(t, "2026-05-01T00:10:00Z").UnixMilli()
	for id, want := range map[string]string{"web1": "a", "web2": "a", "db1": ""} {
		end := int64(0)
		if want != "" {
			end = at(t, "2026-05-01T01:00:00Z").UnixMilli()
		}
		if got, until := list.Of(&Check{ID: id}, now, now+5); got != want || until != end {
			t.Errorf("Of(%s) = %q until %d, want %q until %d", id, got, until, want, end)
		}
	}
}

func TestDowntimeRequestFaults(t *testing.T) {
	t.Parallel()
	for words, want := range map[string]string{
		"for=1h":             "checks: is missing",
		"checks=web1":        "until: is missing: want until or for, or cron and for",
		"checks=web1 for=0s": `for: "0s": want more than 0`,
		"checks=web1 for=0s until=2030-01-01T00:00:00Z":                    `for: "0s": want more than 0`,
		"checks=web1 for=1h until=2030-01-31T12:00:00Z":                    "for: stands beside until",
		"checks=web1 for=-1h":                                              "for: -1h: want more than 0",
		"checks=web1 for=9000h":                                            "until: want at most 366 days after from",
		"checks=web1 from=2030-01-31T12:00:00Z until=2030-01-31T12:00:00Z": "until: 2030-01-31T12:00:00Z is not after from",
		"checks=web1 until=tomorrow":                                       "until: \"tomorrow\": want a time",
		"checks=web1 cron=0_2_*_*_*":                                       "for: 0s: want 1m to 168h",
		"checks=web1 cron=0_2_*_* for=1h":                                  "cron: \"0 2 * *\": want 5 fields",
		"checks=web1 cron=0_2_*_*_* for=1h until=2030-01-31T12:00:00Z":     "until: does not go with cron",
		"checks=web1 cron=0_2_*_*_* for=1h timezone=Mars/Base":             "timezone: \"Mars/Base\"",
		"checks=web1 for=1h timezone=Europe/Berlin":                        "timezone: goes with cron only",
		"checks=web[1] for=1h":                                             "checks: \"web[1]\": want an id, in which * and ? stand for others",
		"checks=web1 for=1h zone=FRA":                                      "zone: \"FRA\": want 1 to 32 of a-z 0-9 -, or *",
		"checks=web1 for=1h id=a/b":                                        "id: \"a/b\": want 1 to 128",
		"checks=web1 for=1h every=5m":                                      "every: does not go with op downtime",
		"checks=web1 for=1h label.site=fra":                                "unknown field label.site",
		"check=web1 for=1h":                                                "unknown field check, did you mean checks?",
		"checks=web1 for=1h entry=1-0":                                     "unknown field entry",
	} {
		var list []string
		for _, w := range strings.Fields(words) {
			k, v, _ := strings.Cut(w, "=")
			list = append(list, k, strings.ReplaceAll(v, "_", " "))
		}
		_, err := ParseRequest(entry(append([]string{"op", "downtime"}, list...)...))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", words, err, want)
		}
	}
}

func TestDowntimeAccept(t *testing.T) {
	t.Parallel()
	d := downtimeOf(t, "2026-05-01T00:00:00.5Z", "checks", "web1,db?", "for", "90m", "by", "eve", "comment", "new disks")
	want := `{"id":"5-0","entry":"5-0","at":1777593600500,"checks":["web1","db?"],` +
		`"from":"2026-05-01T00:00:00.5Z","until":"2026-05-01T01:30:00.5Z","by":"eve","comment":"new disks"}`
	if got := d.Text(); got != want {
		t.Errorf("Text() = %s, want %s", got, want)
	}
	r, err := ParseRequest(entry("op", "downtime", "checks", "web1", "until", "2026-05-01T00:00:00Z"))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Downtime.Accept("1-0", at(t, "2026-05-02T00:00:00Z").UnixMilli()); err == nil || !strings.Contains(err.Error(), "until") {
		t.Errorf("a downtime that is over: %v, want a fault", err)
	}
}

func TestDowntimeOver(t *testing.T) {
	t.Parallel()
	once := downtimeOf(t, "2026-05-01T00:00:00Z", "checks", "*", "for", "1h")
	nightly := downtimeOf(t, "2026-05-01T00:00:00Z", "checks", "*", "cron", "0 22 * * *", "for", "4h")
	for _, tt := range []struct {
		d    *Downtime
		at   string
		want bool
	}{
		{once, "2026-04-01T00:00:00Z", false},
		{once, "2026-05-01T00:59:59Z", false},
		{once, "2026-05-01T01:00:00Z", true},
		{nightly, "2126-05-01T01:00:00Z", false},
	} {
		if got := tt.d.Over(at(t, tt.at).UnixMilli()); got != tt.want {
			t.Errorf("%s at %s: Over = %v, want %v", tt.d.Text(), tt.at, got, tt.want)
		}
	}
}

func TestParseDowntimeFaults(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"id":"a","chekcs":["*"],"from":"2026-05-01T00:00:00Z","until":"2026-05-02T00:00:00Z"}`: "unknown field chekcs",
		`{"id":"a","from":"2026-05-01T00:00:00Z","until":"2026-05-02T00:00:00Z"}`:                "checks: is missing",
		`{"id":"a","checks":["*"],"from":"2026-05-01T00:00:00Z","for":"1h"}`:                     "for",
		`nonsense`: "not valid JSON",
		`[]`:       "want an object",
		`{"id":"a","checks":["` + strings.Repeat("x", 70000) + `"]}`: "at most 65536 bytes",
	} {
		if _, err := ParseDowntime(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseDowntime(%.80s) = %v, want %s", text, err, want)
		}
	}
	if d, err := ParseDowntime(`{"id":"a","entry":"7-0","deleted":5}`); err != nil || d.Deleted != 5 || d.Touches(0, 1<<50) {
		t.Errorf("a deleted one = %+v, %v", d, err)
	}
}

// Touches against a walk over all windows of a year, minute by minute around
// them.
func TestDowntimeAgainstWalker(t *testing.T) {
	t.Parallel()
	for _, zone := range []string{"Europe/Berlin", "Australia/Lord_Howe", "UTC"} {
		d := downtimeOf(t, "2026-05-01T00:00:00Z", "checks", "*", "cron", "*/50 1,2,3 * * *", "timezone", zone, "for", "45m")
		cron, err := ParseCron(d.Cron, zone)
		if err != nil {
			t.Fatal(err)
		}
		begin := at(t, "2026-01-01T00:00:00Z")
		inside := map[int64]bool{}
		for slot := cron.Next(begin.Add(-24 * time.Hour)); slot.Before(begin.AddDate(1, 0, 1)); slot = cron.Next(slot) {
			for m := range 45 {
				inside[slot.Unix()/60+int64(m)] = true
			}
		}
		for m := begin.Unix() / 60; m < begin.AddDate(1, 0, 0).Unix()/60; m += 15 {
			if got := d.Touches(m*60_000, m*60_000); got != inside[m] {
				t.Fatalf("%s: Touches at %s = %v, want %v", zone, time.Unix(m*60, 0).UTC(), got, inside[m])
			}
		}
	}
}

func FuzzParseDowntime(f *testing.F) {
	for _, text := range []string{
		`{"id":"a","checks":["web*"],"from":"2026-01-02T03:04:05Z","until":"2026-01-02T05:04:05Z"}`,
		`{"id":"a","zone":"*","labels":{"site":"fra"},"cron":"0 3 * * *","timezone":"Europe/Berlin","for":"2h"}`, `{"id":"a","checks":["[","\\","***?"],"cron":"@"}`, `{`, `[]`, `{"id":"a","for":"-1h"}`,
	} {
		f.Add(text, "web1", int64(1_767_300_000_000))
	}
	f.Fuzz(func(t *testing.T, text, id string, at int64) {
		d, err := ParseDowntime(text)
		if err != nil {
			return
		}
		if _, err := ParseDowntime(d.Text()); err != nil {
			t.Errorf("ParseDowntime(Text() of %q) = %v", text, err)
		}
		d.Covers(&Check{ID: id, Zone: "default", Labels: map[string]string{"site": id}})
		d.Window(at % (1 << 45))
		d.Touches(at%(1<<45), at%(1<<45)+1000)
		d.Over(at % (1 << 45))
	})
}
