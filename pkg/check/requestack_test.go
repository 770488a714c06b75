package check

import (
	"strings"
	"testing"
	"time"
)

func TestAckRequests(t *testing.T) {
	t.Parallel()
	r, err := ParseRequest(entry("op", "ack", "id", "web1", "for", "2h", "by", "eve"))
	if err != nil || r.For != 2*time.Hour || r.By != "eve" || !r.Until.IsZero() {
		t.Errorf("ack for 2h = %+v, %v", r, err)
	}
	r, err = ParseRequest(entry("op", "unack", "incident", "fra/web1/5", "comment", "not mine"))
	if err != nil || r.Op != OpUnack || r.Incident != "fra/web1/5" || r.Zone != "fra" || r.ID != "web1" || r.Comment != "not mine" {
		t.Errorf("unack = %+v, %v", r, err)
	}
	r, err = ParseRequest(entry("op", "downtime-delete", "id", "maint", "by", "eve"))
	if err != nil || r.Op != OpDowntimeDelete || r.ID != "maint" || r.By != "eve" {
		t.Errorf("downtime-delete = %+v, %v", r, err)
	}
	for want, fields := range map[string]map[string]string{
		"for: stands beside until":               entry("op", "ack", "id", "a", "for", "2h", "until", "2030-01-01T00:00:00Z"),
		`for: "2": want a duration of 1s to`:     entry("op", "ack", "id", "a", "for", "2"),
		`for: "-2h": want a duration of 1s to`:   entry("op", "ack", "id", "a", "for", "-2h"),
		"until: does not go with op unack":       entry("op", "unack", "id", "a", "until", "2030-01-01T00:00:00Z"),
		"incident: is missing":                   entry("op", "unack"),
		"id: is missing":                         entry("op", "downtime-delete"),
		"checks: does not go with op ack":        entry("op", "ack", "id", "a", "checks", "b"),
		"by: 129 bytes: want at most 128":        entry("op", "ack", "id", "a", "by", strings.Repeat("x", 129)),
		"did you mean downtime?":                 entry("op", "downtme", "id", "a"),
		"comment: 1025 bytes: want at most 1024": entry("op", "downtime-delete", "id", "a", "comment", strings.Repeat("x", 1025)),
	} {
		if _, err := ParseRequest(fields); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseRequest(%v) = %v, want %s", fields, err, want)
		}
	}
}

func TestAckHolds(t *testing.T) {
	t.Parallel()
	until := time.UnixMilli(5000)
	for _, tt := range []struct {
		name string
		ack  *Ack
		at   int64
		want bool
	}{
		{"none", nil, 1, false},
		{"without an end", &Ack{}, 1 << 50, true},
		{"before its end", &Ack{Until: until}, 4999, true},
		{"at its end", &Ack{Until: until}, 5000, false},
		{"taken back", &Ack{Removed: true}, 1, false},
	} {
		if got := tt.ack.Holds(tt.at); got != tt.want {
			t.Errorf("%s: Holds(%d) = %v, want %v", tt.name, tt.at, got, tt.want)
		}
	}
}
