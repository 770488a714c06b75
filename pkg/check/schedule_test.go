package check

import (
	"fmt"
	"testing"
	"time"
)

func at(t *testing.T, text string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestEveryNext(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name            string
		interval, phase time.Duration
		from, want      int64
	}{
		{"on the grid", 10 * time.Second, 0, 20_000, 30_000},
		{"between", 10 * time.Second, 0, 20_001, 30_000},
		{"just before", 10 * time.Second, 0, 29_999, 30_000},
		{"phase", 10 * time.Second, 3 * time.Second, 20_000, 23_000},
		{"on the phase", 10 * time.Second, 3 * time.Second, 23_000, 33_000},
		{"before 1970", 10 * time.Second, 3 * time.Second, -20_000, -17_000},
		{"odd interval", 1500 * time.Millisecond, 0, 1_700_000_000_000, 1_700_000_001_000},
	}
	for _, tt := range tests {
		got := Every{tt.interval, tt.phase}.Next(time.UnixMilli(tt.from))
		if got.UnixMilli() != tt.want {
			t.Errorf("%s: Next(%d) = %d, want %d", tt.name, tt.from, got.UnixMilli(), tt.want)
		}
	}
	if got := (Every{}).Next(time.UnixMilli(5)); !got.IsZero() {
		t.Errorf("Every{}.Next = %v, want never", got)
	}
	sub := Every{time.Second, 0}.Next(time.UnixMilli(999).Add(999_999))
	if sub.UnixMilli() != 1000 {
		t.Errorf("Next(999.999999 ms) = %v, want 1 s", sub)
	}
}

// Fault 6 of the ancestors: next run = end of the last run + interval.
func TestFault6NoDrift(t *testing.T) {
	t.Parallel()
	c := &Check{ID: "web1", Every: Duration(10 * time.Second)}
	s, err := c.Schedule()
	if err != nil {
		t.Fatal(err)
	}
	planned := s.Next(at(t, "2026-03-01T00:00:00Z"))
	first := planned
	for n := 1; n <= 100_000; n++ {
		took := time.Duration(n%9_900) * time.Millisecond
		due, missed := NextDue(c, s, planned, planned.Add(took), false)
		if missed != 0 {
			t.Fatalf("run %d missed %d slots", n, missed)
		}
		planned = due
	}
	if want := first.Add(100_000 * 10 * time.Second); !planned.Equal(want) {
		t.Errorf("after 100000 runs planned = %v, want %v", planned, want)
	}
}

func TestDefaultPhaseIsStable(t *testing.T) {
	t.Parallel()
	// These figures are a promise: a new release must not move all checks.
	for id, want := range map[string]time.Duration{"web1": 4072 * time.Millisecond, "web2": 23355 * time.Millisecond} {
		c := &Check{ID: id, Every: Duration(30 * time.Second)}
		if got := c.phase(); got != want {
			t.Errorf("phase(%s) = %v, want %v", id, got, want)
		}
	}
}

func TestDefaultPhaseSpreads(t *testing.T) {
	t.Parallel()
	const n, buckets = 10_000, 100
	for _, form := range []string{"web%d", "host-%05d.example.net:ping", "%d"} {
		var count [buckets]int
		for i := range n {
			c := &Check{ID: fmt.Sprintf(form, i), Every: Duration(10 * time.Second)}
			count[c.phase()/(100*time.Millisecond)]++
		}
		for b, got := range count {
			if got < 50 || got > 160 { // 100 expected, standard deviation 10
				t.Errorf("%s: %d of %d checks in bucket %d of %d", form, got, n, b, buckets)
			}
		}
	}
}

func TestPhaseIsTakenModuloEvery(t *testing.T) {
	t.Parallel()
	phase := Duration(65 * time.Second)
	c := &Check{ID: "a", Every: Duration(30 * time.Second), Phase: &phase}
	if got := c.phase(); got != 5*time.Second {
		t.Errorf("phase = %v, want 5s", got)
	}
}

func TestAtNext(t *testing.T) {
	t.Parallel()
	when := at(t, "2026-05-01T10:00:00Z")
	s := At{when}
	if got := s.Next(when.Add(-1)); !got.Equal(when) {
		t.Errorf("Next(before) = %v, want %v", got, when)
	}
	if got := s.Next(when); !got.IsZero() {
		t.Errorf("Next(at) = %v, want never", got)
	}
}

func TestSameSchedule(t *testing.T) {
	t.Parallel()
	zero, third := Duration(0), Duration(3*time.Second)
	when := at(t, "2026-05-01T10:00:00Z")
	base := Check{ID: "a", Every: Duration(10 * time.Second)}
	hash := Duration(base.phase())
	tests := []struct {
		name string
		a, b Check
		want bool
	}{
		{"equal", base, base, true},
		{"other params", base, Check{ID: "a", Every: base.Every, Params: []byte(`{"x":1}`), Timeout: 5}, true},
		{"every", base, Check{ID: "a", Every: Duration(20 * time.Second)}, false},
		{"phase written out", base, Check{ID: "a", Every: base.Every, Phase: &hash}, true},
		{"phase", Check{ID: "a", Every: base.Every, Phase: &zero}, Check{ID: "a", Every: base.Every, Phase: &third}, false},
		{"cron blanks", Check{Cron: "0  1 * * *"}, Check{Cron: "0 1 * * *", Timezone: "UTC"}, true},
		{"cron", Check{Cron: "0 1 * * *"}, Check{Cron: "0 2 * * *"}, false},
		{"timezone", Check{Cron: "0 1 * * *"}, Check{Cron: "0 1 * * *", Timezone: "Asia/Tokyo"}, false},
		{"kind", base, Check{ID: "a", Cron: "0 1 * * *"}, false},
		{"at in another zone", Check{At: when}, Check{At: when.In(time.FixedZone("x", 3600))}, true},
		{"at", Check{At: when}, Check{At: when.Add(time.Second)}, false},
	}
	for _, tt := range tests {
		if got := tt.a.SameSchedule(&tt.b); got != tt.want {
			t.Errorf("%s: SameSchedule = %v, want %v", tt.name, got, tt.want)
		}
		if got := tt.b.SameSchedule(&tt.a); got != tt.want {
			t.Errorf("%s: SameSchedule the other way = %v, want %v", tt.name, got, tt.want)
		}
	}
}
