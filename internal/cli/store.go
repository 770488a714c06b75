package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// scanPage is how many specs one read of the registry asks for.
const scanPage = 500

// stored is a check as the registry holds it. Where it stands and where it
// belongs differ while it moves.
type stored struct {
	lane check.Lane
	check.Stored
	check *check.Check // nil when the text cannot be read
	err   error        // why not
	bare  bool         // the text names no zone
	// refused says why schedulers refused the text, where they did: the check
	// stands still.
	refused string
}

// lanes lists the lanes of --zone, of all zones without it.
func (a *app) lanes(ctx context.Context, conn *connection) ([]check.Lane, error) {
	if a.opt.zone == "" {
		return conn.Lanes(ctx)
	}
	return conn.Lanes(ctx, a.opt.zone)
}

// zoneOr gives --zone, or the default zone.
func (a *app) zoneOr() string { return cmpOr(a.opt.zone, check.DefaultZone) }

func parseStored(lane check.Lane, s check.Stored) stored {
	out := stored{lane: lane, Stored: s}
	out.check, out.err = check.Parse([]byte(s.Spec))
	if out.err == nil && out.check.Zone == "" {
		out.check.Zone, out.bare = lane.Zone, true // written by hand into this zone
	}
	return out
}

// strange tells that the text names another zone than the one where it stands:
// the check is about to leave, or a hand wrote it.
func (s *stored) strange() bool {
	return s.check != nil && (s.bare && s.lane.Zone != check.DefaultZone || s.check.ZoneName() != s.lane.Zone)
}

// adopted corrects the zone of a check by its record: a text without one is of
// the zone where it stands only until schedulers have taken it over.
func (s *stored) adopted(record string) {
	if rec, err := redisqueue.ParseRecord(record); err == nil && s.bare && strings.HasPrefix(check.SHA(s.Spec), cmpOr(rec.SHA, "none")) {
		s.check.Zone = check.DefaultZone
	}
}

// target is what the check is named: by the zone that its spec says, to which
// it may have yet to come.
func (s *stored) target() target {
	if s.check == nil {
		return target{s.lane.Zone, s.ID}
	}
	return target{s.check.ZoneName(), s.ID}
}

// sortStored orders checks by zone and id.
func sortStored[T any](list []T, key func(T) (zone, id string)) {
	slices.SortFunc(list, func(a, b T) int {
		za, ia := key(a)
		zb, ib := key(b)
		if c := strings.Compare(za, zb); c != 0 {
			return c
		}
		return strings.Compare(ia, ib)
	})
}

// selector is a list of label=value that must all hold; label alone wants the
// label to be there, label!=value that it is not so.
type selector []labelTerm

type labelTerm struct {
	label, value string
	any, not     bool
}

func parseSelector(texts []string) (selector, error) {
	var s selector
	for _, text := range texts {
		for part := range strings.SplitSeq(text, ",") {
			label, value, eq := strings.Cut(part, "=")
			not := eq && strings.HasSuffix(label, "!")
			label = strings.TrimSuffix(label, "!")
			if label == "" {
				return nil, usagef("selector %q: want label=value, label!=value or label", text)
			}
			s = append(s, labelTerm{label, value, !eq, not})
		}
	}
	return s, nil
}

func (s selector) match(c *check.Check) bool {
	for _, t := range s {
		value, ok := c.Labels[t.label]
		if t.any && !ok || !t.any && (ok && value == t.value) == t.not {
			return false
		}
	}
	return true
}

// target names a check.
type target struct{ zone, id string }

func (t target) String() string {
	if t.zone == check.DefaultZone {
		return t.id
	}
	return t.zone + "/" + t.id
}

// targets gives the checks that arguments name (in --zone) or that the
// selector picks (in --zone, or in all zones).
func (a *app) targets(ctx context.Context, ids []string, sel selector) ([]target, error) {
	var out []target
	for _, id := range ids {
		t := target{a.zoneOr(), id}
		if zone, rest, ok := strings.Cut(id, "/"); ok {
			t = target{zone, rest}
		}
		out = append(out, t)
	}
	if len(sel) == 0 {
		return out, nil
	}
	conn, err := a.connect(ctx)
	if err != nil {
		return nil, err
	}
	err = a.scan(ctx, conn, func(_ check.Lane, page []stored) error {
		for _, s := range page {
			if s.check != nil && sel.match(s.check) {
				out = append(out, s.target())
			}
		}
		return nil
	})
	sortStored(out, func(t target) (string, string) { return t.zone, t.id })
	return slices.Compact(out), err
}

// parseLast reads a last record; nil when there is none that can be read.
func parseLast(text string) *check.Last {
	var last check.Last
	if text == "" || json.Unmarshal([]byte(text), &last) != nil {
		return nil
	}
	return &last
}

// scheduleText says in a word or two when a check runs.
func scheduleText(c *check.Check) string {
	switch {
	case c.Every != 0:
		return "every " + shortDuration(c.Every.D())
	case c.Cron != "":
		return fmt.Sprintf("cron %s", c.Cron)
	}
	return "at " + c.At.Format("2006-01-02T15:04:05Z07:00")
}
