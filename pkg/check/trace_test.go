package check_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

func TestTraced(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		state  check.State
		late   time.Duration
		sample float64
		want   bool
	}{
		{"ordinary", check.StateOK, 0, 0, false},
		{"early", check.StateOK, -time.Minute, 0, false},
		{"a little late", check.StateOK, check.TraceLate - time.Millisecond, -1, false},
		{"late", check.StateOK, check.TraceLate, 0, true},
		{"not OK", check.StateWarn, 0, 0, true},
		{"unknown", check.StateUnknown, 0, -1, true},
		{"all", check.StateOK, 0, 1, true},
	} {
		if got := check.Traced(tt.state, tt.late, "web1", 1_700_000_000_000, tt.sample); got != tt.want {
			t.Errorf("%s: Traced(%s, %s, sample %v) = %v, want %v", tt.name, tt.state, tt.late, tt.sample, got, tt.want)
		}
	}
}

// TestSampleIsEven: the share is about the one that was asked for, among the
// runs of one check as among checks, and the same every time.
func TestSampleIsEven(t *testing.T) {
	t.Parallel()
	const runs = 100_000
	for _, share := range []float64{0.01, 0.5} {
		byTime, byID := 0, 0
		for i := range runs {
			at := int64(1_700_000_000_000 + i*30_000)
			got := check.Traced(check.StateOK, 0, "web1", at, share)
			if got != check.Traced(check.StateOK, 0, "web1", at, share) {
				t.Fatalf("run %d is picked now and then", i)
			}
			if got {
				byTime++
			}
			if check.Traced(check.StateOK, 0, fmt.Sprintf("switch-%d.port", i), 1_700_000_000_000, share) {
				byID++
			}
		}
		for what, n := range map[string]int{"runs": byTime, "checks": byID} {
			if got := float64(n) / runs; got < share*0.8 || got > share*1.2 {
				t.Errorf("share %v of %s: got %v", share, what, got)
			}
		}
	}
}

func TestPhases(t *testing.T) {
	t.Parallel()
	ev := check.Event{Planned: 1000, Started: 1010, Finished: 1100}
	traced := ev
	traced.Trace = &check.Trace{Queued: 1004, Leased: 1007, Handled: 1130}
	backwards := traced
	backwards.Trace = &check.Trace{Queued: 900, Leased: 1020, Handled: 1090}
	for _, tt := range []struct {
		name      string
		ev        check.Event
		committed int64
		want      []check.Phase
	}{
		{"plain", ev, 1150, []check.Phase{{check.PhaseWait, 1000, 1010}, {check.PhaseRun, 1010, 1100}, {check.PhaseRest, 1100, 1150}}},
		{"plain, not committed", ev, 0, []check.Phase{{check.PhaseWait, 1000, 1010}, {check.PhaseRun, 1010, 1100}}},
		{"traced", traced, 1150, []check.Phase{
			{check.PhaseDispatch, 1000, 1004}, {check.PhaseQueue, 1004, 1007}, {check.PhaseStart, 1007, 1010},
			{check.PhaseRun, 1010, 1100}, {check.PhaseHandlers, 1100, 1130}, {check.PhaseCommit, 1130, 1150},
		}},
		{"clocks that differ", backwards, 1095, []check.Phase{
			{check.PhaseDispatch, 1000, 1000}, {check.PhaseQueue, 1000, 1020}, {check.PhaseStart, 1020, 1020},
			{check.PhaseRun, 1020, 1100}, {check.PhaseHandlers, 1100, 1100}, {check.PhaseCommit, 1100, 1100},
		}},
	} {
		if got := tt.ev.Phases(tt.committed); !slices.Equal(got, tt.want) {
			t.Errorf("%s: Phases(%d) = %v, want %v", tt.name, tt.committed, got, tt.want)
		}
	}
}

func TestTraceID(t *testing.T) {
	t.Parallel()
	ids := map[[16]byte]bool{}
	for _, zone := range []string{"default", "edge"} {
		for at := range int64(3) {
			ev := check.Event{Planned: at, Check: check.EventCheck{Zone: zone, ID: "web1"}}
			again := check.Event{Planned: at, Started: 5, Check: check.EventCheck{Zone: zone, ID: "web1"}}
			if ev.TraceID() != again.TraceID() {
				t.Errorf("TraceID() of a repeated run differs")
			}
			ids[ev.TraceID()] = true
		}
	}
	if len(ids) != 6 {
		t.Errorf("6 runs have %d trace ids", len(ids))
	}
}

// TestTraceIsLeftOut: an event without a trace does not grow.
func TestTraceIsLeftOut(t *testing.T) {
	t.Parallel()
	var fields map[string]any
	text, err := json.Marshal(check.Event{})
	if err == nil {
		err = json.Unmarshal(text, &fields)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, there := fields["trace"]; there {
		t.Errorf("an event without a trace is %s", text)
	}
}
