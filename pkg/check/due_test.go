package check

import (
	"testing"
	"time"
)

// s10 is a check every 10 s on the grid of whole 10 s.
func s10(retry time.Duration) (*Check, Schedule) {
	zero := Duration(0)
	c := &Check{ID: "a", Every: Duration(10 * time.Second), Phase: &zero, RetryEvery: Duration(retry)}
	s, err := c.Schedule()
	if err != nil {
		panic(err)
	}
	return c, s
}

func TestFirst(t *testing.T) {
	t.Parallel()
	now := at(t, "2026-05-01T10:00:03Z")
	c, _ := s10(0)
	hourly := &Check{ID: "a", Cron: "0 * * * *"}
	future, past := &Check{ID: "a", At: now.Add(time.Hour)}, &Check{ID: "a", At: now.Add(-time.Hour)}
	tests := []struct {
		name   string
		c      *Check
		spread bool
		want   time.Time
	}{
		{"at once", c, false, now},
		{"spread", c, true, now.Add(7 * time.Second)},
		{"cron at once", hourly, false, now},
		{"cron spread", hourly, true, at(t, "2026-05-01T11:00:00Z")},
		{"one-shot", future, false, future.At},
		{"one-shot spread", future, true, future.At},
		{"one-shot of the past", past, false, now},
		{"not valid", &Check{}, false, time.Time{}},
	}
	for _, tt := range tests {
		if got := First(tt.c, now, tt.spread); !got.Equal(tt.want) {
			t.Errorf("%s: First = %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestNextDue(t *testing.T) {
	t.Parallel()
	base := at(t, "2026-05-01T10:00:00Z")
	sec := func(s float64) time.Time { return base.Add(time.Duration(s * float64(time.Second))) }
	hourly, once := mustCron(t, "0 * * * *", ""), At{base}
	_, every := s10(0)
	tests := []struct {
		name    string
		s       Schedule
		retry   float64
		planned float64
		now     float64
		soft    bool
		want    float64 // -1: never
		missed  int
	}{
		{"in time", every, 0, 0, 2, false, 10, 0},
		{"took nearly all", every, 0, 0, 9.999, false, 10, 0},
		{"until the very slot", every, 0, 0, 10, false, 20, 1},
		{"one missed", every, 0, 0, 12, false, 20, 1},
		{"three missed", every, 0, 0, 35, false, 40, 3},
		{"planned off the grid", every, 0, 7, 8, false, 10, 0},
		{"clock behind planned", every, 0, 10, 9, false, 20, 0},
		{"a retry is sooner", every, 3, 0, 1, true, 3, 0},
		{"a later retry is sooner", every, 3, 0, 4, true, 6, 0},
		{"the retry of this instant is over", every, 3, 0, 3, true, 6, 0},
		{"retry after a retry", every, 3, 6, 6.5, true, 9, 0},
		{"the slot is sooner", every, 3, 9, 9.5, true, 10, 0},
		{"retry slower than the schedule", every, 60, 0, 1, true, 10, 0},
		{"soft without pace", every, 0, 0, 1, true, 10, 0},
		{"hard with pace", every, 3, 0, 1, false, 10, 0},
		{"soft and late", every, 3, 0, 25, true, 27, 2},
		{"cron", hourly, 0, 0, 60, false, 3600, 0},
		{"cron missed", hourly, 0, 0, 7300, false, 10800, 2},
		{"cron retry", hourly, 30, 0, 40, true, 60, 0},
		{"one-shot", once, 0, 0, 1, false, -1, 0},
		{"one-shot retry", once, 5, 0, 1, true, 5, 0},
		{"one-shot retry, default pace", once, 0, 0, 1, true, 10, 0},
	}
	for _, tt := range tests {
		c := &Check{ID: "a", RetryEvery: Duration(tt.retry * float64(time.Second))}
		due, missed := NextDue(c, tt.s, sec(tt.planned), sec(tt.now), tt.soft)
		want := sec(tt.want)
		if tt.want < 0 {
			want = time.Time{}
		}
		if !due.Equal(want) || missed != tt.missed {
			t.Errorf("%s: NextDue = %v, %d, want %v, %d", tt.name, due, missed, want, tt.missed)
		}
	}
}

func TestMissedCronSlotsAreBounded(t *testing.T) {
	t.Parallel()
	s := mustCron(t, "* * * * *", "")
	base := at(t, "2026-05-01T10:00:00Z")
	if _, missed := NextDue(&Check{}, s, base, base.AddDate(10, 0, 0), false); missed != maxMissed {
		t.Errorf("missed = %d, want %d", missed, maxMissed)
	}
}

func TestSkip(t *testing.T) {
	t.Parallel()
	base := at(t, "2026-05-01T10:00:00Z")
	_, every := s10(0)
	tests := []struct {
		name string
		s    Schedule
		late time.Duration
		want bool
	}{
		{"in time", every, 0, false},
		{"early", every, -time.Second, false},
		{"10 s late", every, 10 * time.Second, false},
		{"more than 10 s late", every, 10*time.Second + time.Millisecond, true},
		{"next in 10 minutes", Every{20 * time.Minute, 0}, 10 * time.Minute, true},
		{"next in more than 10 minutes", Every{20 * time.Minute, 0}, 9 * time.Minute, false},
		{"cron", mustCron(t, "* * * * *", ""), 3 * time.Minute, true},
		{"one-shot", At{base}, time.Hour, false},
	}
	for _, tt := range tests {
		if got := Skip(&Check{}, tt.s, base, base.Add(tt.late)); got != tt.want {
			t.Errorf("%s: Skip = %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestQuarantine(t *testing.T) {
	t.Parallel()
	base := at(t, "2026-05-01T10:00:00Z")
	_, every := s10(0)
	tests := []struct {
		crashes int
		s       Schedule
		now     time.Time
		want    time.Duration // after base
	}{
		{3, every, base, 5 * time.Minute},
		{3, every, base.Add(time.Second), 5*time.Minute + 10*time.Second},
		{4, every, base, 10 * time.Minute},
		{5, every, base, 20 * time.Minute},
		{6, every, base, 40 * time.Minute},
		{7, every, base, time.Hour},
		{1000, every, base, time.Hour},
		{0, every, base, 5 * time.Minute},
		{3, Every{24 * time.Hour, 0}, base, 14 * time.Hour},
		{3, mustCron(t, "7 * * * *", ""), base, 7 * time.Minute},
	}
	for _, tt := range tests {
		if got := Quarantine(tt.crashes, tt.s, tt.now.Add(time.Second), tt.now); !got.Equal(base.Add(tt.want)) {
			t.Errorf("Quarantine(%d, %v) = %v, want %v", tt.crashes, tt.s, got, base.Add(tt.want))
		}
	}
	if got := Quarantine(3, At{base}, time.Time{}, base); !got.IsZero() {
		t.Errorf("Quarantine of a one-shot = %v, want never", got)
	}
	for due, want := range map[time.Duration]time.Duration{10 * time.Second: 5 * time.Minute, time.Hour: time.Hour} {
		if got := Quarantine(3, At{base}, base.Add(due), base); !got.Equal(base.Add(want)) {
			t.Errorf("Quarantine of a one-shot that is due after %v = %v, want after %v", due, got, want)
		}
	}
}

func TestHotPathAllocatesNothing(t *testing.T) {
	c, s := s10(3 * time.Second)
	planned := at(t, "2026-05-01T10:00:00Z")
	now := planned.Add(25 * time.Second)
	sum := 0
	n := testing.AllocsPerRun(100, func() {
		NextDue(c, s, planned, now, true)
		Skip(c, s, planned, now)
		sum += Partition(c.ID, 16)
	})
	if n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func BenchmarkNextDue(b *testing.B) {
	c, s := s10(3 * time.Second)
	planned := time.Unix(1_780_000_000, 0)
	now := planned.Add(2 * time.Second)
	b.ReportAllocs()
	for b.Loop() {
		NextDue(c, s, planned, now, true)
	}
}

func TestHorizon(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name         string
		check        Check
		limit, until time.Time
	}{
		{"a grid", Check{ID: "a", Every: Duration(time.Minute)}, now.Add(2 * time.Minute), now},
		{"cron", Check{ID: "a", Cron: "0 * * * *"}, now.Add(2 * time.Hour), now.Add(time.Hour)},
		{"a one-shot to come", Check{ID: "a", At: now.Add(time.Hour)}, now.Add(time.Hour + time.Second), now.Add(time.Hour)},
		{"a one-shot that is due", Check{ID: "a", At: now.Add(-time.Hour)}, time.Time{}, time.Time{}},
		{"not valid", Check{ID: "a"}, time.Time{}, time.Time{}},
	} {
		limit, until := Horizon(&tt.check, now)
		if !limit.Equal(tt.limit) || !until.Equal(tt.until) {
			t.Errorf("%s: Horizon = %v, %v, want %v, %v", tt.name, limit, until, tt.limit, tt.until)
		}
	}
}

func TestWaitDue(t *testing.T) {
	t.Parallel()
	planned := at(t, "2026-05-01T10:00:00.5Z")
	for _, tt := range []struct {
		name     string
		c        Check
		now, due string
		want     string
	}{
		{"ten seconds on, without a pace", Check{}, "2026-05-01T10:00:03Z", "2026-05-01T10:05:00Z", "2026-05-01T10:00:10.5Z"},
		{"the next after a long run", Check{}, "2026-05-01T10:00:12Z", "2026-05-01T10:05:00Z", "2026-05-01T10:00:20.5Z"},
		{"retry_every", Check{RetryEvery: Duration(4 * time.Second)}, "2026-05-01T10:00:03Z", "2026-05-01T10:05:00Z", "2026-05-01T10:00:04.5Z"},
		{"the next slot is sooner", Check{}, "2026-05-01T10:00:03Z", "2026-05-01T10:00:05Z", "2026-05-01T10:00:05Z"},
		{"there is no slot", Check{}, "2026-05-01T10:00:03Z", "", "2026-05-01T10:00:10.5Z"},
	} {
		var due time.Time
		if tt.due != "" {
			due = at(t, tt.due)
		}
		if got := WaitDue(&tt.c, planned, at(t, tt.now), due); !got.Equal(at(t, tt.want)) {
			t.Errorf("%s: WaitDue = %s, want %s", tt.name, got.Format(time.RFC3339Nano), tt.want)
		}
	}
}
