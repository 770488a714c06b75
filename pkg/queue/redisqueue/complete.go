package redisqueue

import (
	"context"
	"strings"

	"github.com/redpoll/redpoll/pkg/check"
)

var completeScript = script("complete")

// Complete ends runs of one lane, at most a few hundred a call: results are
// written and checks put back in one step, item by item. A repeated item with
// the token that was committed last is done, not stale.
func (q *Queue) Complete(ctx context.Context, lane check.Lane, items []check.Completion) ([]check.Outcome, error) {
	if len(items) == 0 {
		return nil, nil
	}
	args := completeArgs(items)
	for i := range items {
		c := &items[i]
		if c.KeepCrashes {
			args = append(args, i+1, "crashed", "", "")
		}
		if c.Last != "" && c.Event != "" {
			args = append(args, i+1, "event", "", c.Event)
		}
		switch {
		case c.IncidentID != "" && c.Change == "":
			args = append(args, i+1, "standing", c.IncidentID, c.Incident)
		case c.IncidentID != "":
			args = append(args, i+1, "incident", c.IncidentID, c.Incident)
		}
		if c.Change != "" {
			args = append(args, i+1, "change", "", c.Change)
		}
	}
	keys := []string{
		q.KeyReady(lane), q.KeyRuns(lane), q.KeyDue(lane), q.KeyLast(lane),
		q.KeyResults(lane), q.KeyIncidents(lane), q.KeyChanges(lane),
	}
	reply, err := q.words(ctx, completeScript, "complete", keys, args...)
	if err != nil {
		return nil, err
	}
	if len(reply) == 1 && toInt(reply[0]) == allDone {
		return make([]check.Outcome, len(items)), nil // check.OutcomeDone
	}
	return outcomes(reply), nil
}

// allDone is the answer of complete.lua that stands for a 0 for every run.
const allDone = -1

// completeArgs lays the runs out in columns: what the script hands on to Redis
// as it is needs no table of its own there.
func completeArgs(items []check.Completion) []any {
	n := len(items)
	usual := 1
	args := make([]any, 4+6*n, 8+6*n)
	for i := range items {
		c := &items[i]
		held, after := heldRecord(c)
		if after == "" || c.Next == 0 || c.Last == "" || c.KeepCrashes {
			usual = 0
		}
		args[4+i], args[4+n+i], args[4+2*n+i] = c.ID, c.SID, held
		args[4+3*n+i], args[4+4*n+i], args[4+5*n+i] = after, c.Next, c.Last
	}
	args[0], args[1], args[2], args[3] = GroupWorkers, KeepResults, n, usual
	return args
}

// heldRecord gives the record that the lease wrote and the one that follows
// when nothing happened to the check during the run. A lease that was asked for
// again may bring a record that tells of something: then the script looks.
func heldRecord(c *check.Completion) (held, after string) {
	w := strings.Split(c.Record, " ")
	if len(w) != 11 || w[0] != "l" || w[1] != "-" {
		rev := c.Rev
		if len(w) == 11 {
			rev = w[7] // c.Rev is empty for a text that nobody had adopted
		}
		return "l - 0 " + c.SID + " " + c.Token + " 0 0 " + rev, ""
	}
	state, crashes := "w", "0"
	if c.Next == 0 {
		state = "d"
	}
	if c.KeepCrashes {
		crashes = w[6]
	}
	first := w[10]
	if first != "1" { // where an edit during a run that was lost would have begun: this run was made by it
		first = "0"
	}
	nonce := c.Token[strings.LastIndexByte(c.Token, '/')+1:]
	return c.Record, state + " - " + w[2] + " - - 0 " + crashes + " " + w[7] + " " + nonce + " " + w[9] + " " + first
}
