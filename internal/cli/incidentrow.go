package cli

import (
	"encoding/json"
	"strings"

	"github.com/redpoll/redpoll/pkg/check"
)

// incidentRow is an incident and its acknowledgement, or a check in trouble
// whose incident is held.
type incidentRow struct {
	check.Incident
	Zone  string `json:"zone"`
	Check string `json:"check"`
	// Acked says that Ack holds now: it is there, was not taken back and has not
	// ended.
	Acked bool            `json:"acked"`
	Ack   json.RawMessage `json:"ack,omitempty"`
	// Held says what keeps the incident of a check from opening; it has no id
	// then, and Opened is the beginning of the state.
	Held string `json:"held,omitempty"`
}

// ackText says who acknowledged an incident, until when, and what he said.
func (r incidentRow) ackText() string {
	var ack check.Ack
	switch {
	case len(r.Ack) == 0:
		return "-"
	case json.Unmarshal(r.Ack, &ack) != nil:
		return "yes" // what cannot be read is shown as acknowledged
	case ack.Removed:
		return "-"
	}
	text := cmpOr(ack.By, "yes")
	switch {
	case !r.Acked:
		text = "ended (" + text + ")"
	case !ack.Until.IsZero():
		text += " until " + ack.Until.Local().Format("2006-01-02 15:04:05")
	}
	return strings.TrimSpace(text + " " + ack.Comment)
}

// target names the check of an incident.
func (r incidentRow) target() string { return target{r.Zone, r.Check}.String() }

// stateText says how an incident is.
func (r incidentRow) stateText() string {
	if r.Resolved != 0 {
		return "resolved"
	}
	return r.To.String()
}

// reasonText is the reason, and what holds the incident.
func (r incidentRow) reasonText() string {
	return checkRow{Reason: r.Reason, Held: r.Held}.reasonText()
}

// heldText says for people what keeps an incident from opening or resolving.
func heldText(held string) string {
	for word, text := range map[string]string{
		check.HeldSuppressed: "suppressed", check.HeldFlap: "flapping: it does not resolve",
	} {
		if held == word {
			return text
		}
	}
	for word, text := range map[string]string{
		check.HeldDowntime: "downtime ", check.HeldParent: "parent ", check.HeldWaiting: "waits for parent ",
	} {
		if id, ok := strings.CutPrefix(held, word); ok {
			return text + id
		}
	}
	return held
}
