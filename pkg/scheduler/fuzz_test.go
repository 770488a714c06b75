package scheduler

import (
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/redpoll/redpoll/pkg/check"
)

// FuzzApply: whatever stands in an entry and whatever the queue answers, the
// entry gets one verdict that is fit for the log, and the good request behind
// it is applied.
func FuzzApply(f *testing.F) {
	f.Add("1-0", "id\x00a\x00command\x00probe\x00every\x0030s\x00params.host\x00h", "", "new")
	f.Add("1700000000000-3", "op\x00pause\x00id\x00a", spec("a", ""), "unchanged")
	f.Add("9999999999999-0", "op\x00resume\x00id\x00a", `{"id":`, "conflict")
	f.Add("-", "op\x00delete\x00id\x00a", spec("a", ""), "older")
	f.Add("x", "op\x00ack\x00incident\x00default/a/1", `{"id":"a"}`, "missing")
	f.Add("1777629600000-0", "op\x00downtime\x00checks\x00a,b*\x00for\x001h", `{"entry":"1-0"}`, "changed")
	f.Add("1777629600000-0", "op\x00downtime-delete\x00id\x00a", `{"entry":"1-0"}`, "conflict")
	f.Add("1777629600000-0", "op\x00unack\x00incident\x00default/a/1", `{"id":"a","entry":"1-0"}`, "conflict")
	f.Add("1-1", "spec\x00"+spec("panic", ""), "\xff", "bad")
	f.Add("1-1", "op\x00run\x00id\x00a\x00zone", "", "paused")
	f.Add("1-1", "spec\x00"+strings.Repeat("[", 5000), "", "\xffrubbish\n")
	f.Fuzz(func(t *testing.T, id, flat, stored, outcome string) {
		words := strings.Split(flat, "\x00")
		fields := map[string]string{}
		for i := 0; i+1 < len(words); i += 2 {
			fields[words[i]] = words[i+1]
		}
		good := map[string]string{"id": "good", "command": "probe", "every": "30s", "params.host": "h"}
		goodID := strconv.FormatInt(time.Now().UnixMilli(), 10) + "-0"
		var verdicts []check.Verdict
		adopted := false
		q := &fakeQueue{
			done: func(vs []check.Verdict) error { verdicts = append(verdicts, vs...); return nil },
			specs: func(_ check.Lane, ids []string) ([]check.Stored, error) {
				out := make([]check.Stored, len(ids))
				for i, id := range ids {
					out[i] = check.Stored{ID: id, Spec: stored, Last: stored}
				}
				return out, nil
			},
			adopt: func(_ check.Lane, as []check.Adoption) ([]check.AdoptOutcome, error) {
				out := make([]check.AdoptOutcome, len(as))
				for i, a := range as {
					if out[i] = check.AdoptOutcome(outcome); a.ID == "good" {
						adopted, out[i] = true, check.AdoptNew
					}
				}
				return out, nil
			},
			remove:   func(check.Lane, check.Removal) (check.AdoptOutcome, error) { return check.AdoptOutcome(outcome), nil },
			runNow:   func(check.Lane, string, string) (check.AdoptOutcome, error) { return check.AdoptOutcome(outcome), nil },
			incident: func(check.Lane, string) (incident, ack string, err error) { return stored, stored, nil },
			ackFunc:  func(check.Lane, check.Acking) (check.AdoptOutcome, error) { return check.AdoptOutcome(outcome), nil },
			downtimes: func() (map[string]string, error) {
				return map[string]string{fields["id"]: stored, id: stored}, nil
			},
			putDowntime: func(string, string, string) (check.AdoptOutcome, error) { return check.AdoptOutcome(outcome), nil },
		}
		s := New(q, Config{Commands: testCommands()})
		left, err := s.apply(t.Context(), []check.IntakeEntry{{EntryID: id, Fields: fields}, {EntryID: goodID, Fields: good}}, false)
		if left || err != nil || len(verdicts) != 2 {
			t.Fatalf("apply() = %v, %v with %d verdicts, want both", left, err, len(verdicts))
		}
		if !adopted || verdicts[1].Verdict != accepted {
			t.Errorf("the good request behind it: %+v", verdicts[1])
		}
		v := verdicts[0]
		if v.Entry != id || v.Verdict != accepted && v.Verdict != rejected && v.Verdict != unchanged {
			t.Errorf("verdict = %+v", v)
		}
		if text := v.Zone + v.ID + v.Op + v.Reason; !utf8.ValidString(text) || strings.ContainsAny(text, "\n\x00\x1b") || len(text) > maxReason+3*maxWord {
			t.Errorf("verdict is not fit for the log: %q", text)
		}
	})
}
