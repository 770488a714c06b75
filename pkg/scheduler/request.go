package scheduler

import (
	"cmp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/redpoll/redpoll/pkg/check"
)

// Bounds of the texts in a verdict, bytes.
const (
	maxWord   = 128
	maxReason = 2 << 10
)

// request is an entry of the intake on its way to a verdict.
type request struct {
	entry string
	req   check.Request
	// canonical is the text of req.Check.
	canonical string
	lane      check.Lane
	warnings  []string
	// verdict is open while its Verdict is empty and left is false.
	verdict check.Verdict
	// again: it may have been applied before, by a scheduler that died.
	again bool
	// left: the lane does not answer, the entry stays in the intake.
	left bool
	// moved: the check is not in the lane, it has to be found.
	moved bool
	// away is the zone that the check has left its own for.
	away string
}

func (r *request) open() bool { return r.verdict.Verdict == "" && !r.left && !r.moved }

func (r *request) reject(reason string) {
	r.verdict.Verdict, r.verdict.Reason = check.VerdictRejected, clean(reason, maxReason)
}

func (r *request) accept() {
	r.verdict.Verdict = check.VerdictAccepted
	r.verdict.Reason = clean(strings.Join(r.warnings, "; "), maxReason)
}

// conclude makes a verdict of what the queue answered. There is none yet when it
// has to be tried again: after a conflict, or in another lane.
func (r *request) conclude(out check.AdoptOutcome) {
	switch out {
	case check.AdoptNew, check.AdoptChanged, check.AdoptRepeated:
		r.accept()
	case check.AdoptUnchanged:
		r.accept()
		r.verdict.Verdict = check.VerdictUnchanged
	case check.AdoptOlder:
		if r.again {
			r.warnings = append(r.warnings, "a newer request for this check was applied since")
			r.accept()
			break
		}
		r.reject("a newer request for this check was applied before")
	case check.AdoptMissing:
		reason := "there is no check " + r.req.ID + " in zone " + r.req.Zone
		if r.away != "" {
			reason += ", it was moved to zone " + r.away
		}
		r.reject(reason)
	case check.AdoptPaused:
		r.reject("the check is paused: resume it first")
	case check.AdoptConflict: // stays open
	case check.AdoptMoved:
		r.moved = true
	case check.AdoptBad:
		r.reject("the run record of the check is damaged: send the request again when repair has mended it, in about 10 s")
	default:
		r.reject("the queue answered " + strconv.Quote(string(out)))
	}
}

// clean makes a text fit for the log: valid UTF-8, one line, at most limit bytes.
func clean(text string, limit int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return ';'
		case unicode.IsControl(r):
			return '\uFFFD'
		}
		return r
	}, text)
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit]
}

// entryMS gives the unix ms in an entry's id.
func entryMS(id string) int64 {
	ms, _, _ := strings.Cut(id, "-")
	n, err := strconv.ParseInt(ms, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// compareEntries orders ids of stream entries; what is none comes first.
func compareEntries(a, b string) int {
	return cmp.Or(cmp.Compare(entryMS(a), entryMS(b)), cmp.Compare(entrySeq(a), entrySeq(b)))
}

func entrySeq(id string) uint64 {
	_, seq, _ := strings.Cut(id, "-")
	n, err := strconv.ParseUint(seq, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
