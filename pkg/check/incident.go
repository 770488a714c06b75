package check

// Incident is a time of trouble of one check. It opens on the edge from OK to
// not OK (after Check.Attempts results), is updated while the state changes
// between states that are not OK, and resolves on OK. Times are unix ms.
type Incident struct {
	// ID is zone/check/planned ms of the opening run: a repeated delivery of
	// the same incident carries the same id.
	ID   string `json:"id"`
	From State  `json:"from"`
	To   State  `json:"to"`
	// Reason and Text are those of the latest result that changed To or Reason.
	Reason  string `json:"reason,omitempty"`
	Text    string `json:"text,omitempty"`
	Opened  int64  `json:"opened"`
	Updated int64  `json:"updated"`
	// Resolved is 0 while the incident is open.
	Resolved int64 `json:"resolved,omitempty"`
}

// Change says what a run did to a check's incident.
type Change string

// The kinds of changes. ChangeNone stands for no change.
const (
	ChangeNone    Change = ""
	ChangeOpen    Change = "open"
	ChangeUpdate  Change = "update"
	ChangeAck     Change = "ack"
	ChangeResolve Change = "resolve"
)
