package cli

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// traceRow is one run of a check. Times are unix ms on the clock of Redis.
type traceRow struct {
	Zone      string      `json:"zone"`
	ID        string      `json:"id"`
	TraceID   string      `json:"trace_id"`
	Planned   int64       `json:"planned"`
	Started   int64       `json:"started"`
	Finished  int64       `json:"finished"`
	Committed int64       `json:"committed"`
	State     check.State `json:"state"`
	Reason    string      `json:"reason,omitempty"`
	Worker    string      `json:"worker"`
	// Late is how long after its planned time the run started, Total how long
	// after it the result was committed, ms.
	Late  int64 `json:"late_ms"`
	Total int64 `json:"total_ms"`
	// Trace is there for runs that were traced.
	Trace *check.Trace `json:"trace,omitempty"`
	// Phases tells for each phase how long it took, ms.
	Phases map[string]int64 `json:"phases_ms"`
}

func newTraceRow(lane check.Lane, ev *check.Event, committed int64) traceRow {
	id := ev.TraceID()
	r := traceRow{
		Zone: lane.Zone, ID: ev.Check.ID, TraceID: hex.EncodeToString(id[:]), Planned: ev.Planned, Started: ev.Started, Finished: ev.Finished,
		Committed: committed, State: ev.Result.State, Reason: ev.Result.Reason, Worker: ev.Worker, Trace: ev.Trace,
		Late: max(ev.Started-ev.Planned, 0), Total: max(committed-ev.Planned, 0), Phases: map[string]int64{},
	}
	for _, p := range ev.Phases(committed) {
		r.Phases[p.Name] = p.To - p.From
	}
	return r
}

// traceOptions are the flags of trace.
type traceOptions struct {
	count int
	since time.Duration
}

func (a *app) traceCmd() *cobra.Command {
	var o traceOptions
	cmd := &cobra.Command{
		Use:   "trace ID",
		Short: "Show where the time of a check's runs went",
		Long: strings.TrimSpace(`
Show the latest runs of a check with their phases: dispatch (planned to queued),
queue (to leased by a worker), start (to the command's begin), run (the command),
handlers, commit. All times are on the clock of Redis. Runs that were not OK or
a second late have all phases, of the others the share that the workers'
-trace-sample says; the rest has LATE, RUN and TOTAL.
Exit code 1 when no run is found.`),
		Example: strings.TrimRight(`
  redpoll trace web1
  redpoll trace web1 --since 1h -n 100 -o jsonl`, "\n")[1:],
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("trace wants the id of one check; 'redpoll get' lists them")
			}
			return nil
		},
		ValidArgsFunction: a.completeIDs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.count < 1 || o.since < 0 {
				return usagef("trace: want -n of 1 or more, and --since of 0 (all that is kept) or more")
			}
			conn, err := a.connect(cmd.Context())
			if err != nil {
				return err
			}
			found, err := a.targets(cmd.Context(), args, nil)
			if err != nil {
				return err
			}
			return a.trace(cmd.Context(), conn, found[0], o)
		},
	}
	cmd.Flags().IntVarP(&o.count, "number", "n", 10, "how many of the latest runs to show")
	cmd.Flags().DurationVar(&o.since, "since", 0, "only runs that were committed within this time")
	return cmd
}

// tracePage is how many results one read asks for; traceMost bounds all reads:
// a lane keeps about as many.
const (
	tracePage = 1000
	traceMost = redisqueue.KeepResults + tracePage
)

func (a *app) trace(ctx context.Context, conn *connection, t target, o traceOptions) error {
	lane, err := conn.LaneOf(ctx, t.zone, t.id)
	if err != nil {
		return err
	}
	rows, read, err := traceRows(ctx, conn, lane, t.id, o)
	if err != nil {
		return err
	}
	if len(rows) == 0 && a.opt.output == formatTable {
		fmt.Fprintf(a.Stderr, "redpoll: no run of %s among the latest %s of lane %s\n", t, count(read, "result"), lane)
		return errWrong
	}
	if err := printList(a.printer(), rows, traceView()); err != nil {
		return err
	}
	if len(rows) == 0 {
		return errWrong
	}
	if a.opt.output != formatTable {
		return nil
	}
	return a.printSpent(rows)
}

// traceRows finds the latest runs of a check, oldest first, and tells how many
// results it looked at.
func traceRows(ctx context.Context, conn *connection, lane check.Lane, id string, o traceOptions) (rows []traceRow, read int, err error) {
	since := int64(0)
	if o.since > 0 {
		now, err := conn.Now(ctx)
		if err != nil {
			return nil, 0, err
		}
		since = now - o.since.Milliseconds()
	}
	mark := `"id":"` + id + `"` // quicker than to read every event
	for before := ""; read < traceMost && len(rows) < o.count; {
		page, err := conn.ResultsBefore(ctx, lane, before, since, tracePage)
		if err != nil {
			return nil, 0, err
		}
		read += len(page)
		for _, e := range page {
			var ev check.Event
			if !strings.Contains(e.Event, mark) || json.Unmarshal([]byte(e.Event), &ev) != nil || ev.Check.ID != id {
				continue
			}
			if rows = append(rows, newTraceRow(lane, &ev, e.Committed())); len(rows) == o.count {
				break
			}
		}
		if len(page) < tracePage {
			break
		}
		before = page[len(page)-1].SID
	}
	slices.Reverse(rows)
	return rows, read, nil
}

// tracePhases are the phases with a column each.
var tracePhases = []string{check.PhaseDispatch, check.PhaseQueue, check.PhaseStart, check.PhaseRun, check.PhaseHandlers, check.PhaseCommit}

func traceView() view[traceRow] {
	head := []string{"PLANNED", "STATE", "LATE"}
	for _, p := range tracePhases {
		head = append(head, strings.ToUpper(p))
	}
	return view[traceRow]{
		head: append(head, "TOTAL", "WORKER", "REASON"),
		row: func(r traceRow) []string {
			row := []string{clock(r.Planned), r.State.String(), millis(r.Late)}
			for _, p := range tracePhases {
				cell := "-"
				if ms, ok := r.Phases[p]; ok {
					cell = millis(ms)
				}
				row = append(row, cell)
			}
			return append(row, millis(r.Total), cmpOr(r.Worker, "-"), cmpOr(r.Reason, "-"))
		},
		name: func(r traceRow) string { return r.TraceID },
	}
}

// millis writes milliseconds for people.
func millis(ms int64) string { return roughly(time.Duration(ms) * time.Millisecond) }

// printSpent tells where the time of the traced runs went.
func (a *app) printSpent(rows []traceRow) error {
	traced := slices.DeleteFunc(slices.Clone(rows), func(r traceRow) bool { return r.Trace == nil })
	if len(traced) == 0 {
		_, err := fmt.Fprintf(a.Stdout, "\nNone of these runs was traced: they were OK and on time. Workers trace more with a higher -trace-sample.\n")
		return err
	}
	all := int64(0)
	spent := make([][]string, len(tracePhases))
	took := make([][]int64, len(tracePhases))
	for i, p := range tracePhases {
		for _, r := range traced {
			took[i] = append(took[i], r.Phases[p])
			all += r.Phases[p]
		}
		slices.Sort(took[i])
	}
	for i, p := range tracePhases {
		sum := int64(0)
		for _, ms := range took[i] {
			sum += ms
		}
		share := 0
		if all > 0 {
			share = int((100*sum + all/2) / all)
		}
		n := len(took[i])
		spent[i] = []string{p, fmt.Sprintf("%d%%", share), millis(took[i][n/2]), millis(took[i][n-1]), cmpOr(strings.Repeat("#", (share+2)/5), "."), phaseMeans[p]}
	}
	if _, err := fmt.Fprintf(a.Stdout, "\nWhere the time went, of %s with a trace:\n", count(len(traced), "run")); err != nil {
		return err
	}
	return a.printer().table([]string{"PHASE", "SHARE", "MEDIAN", "MAX", "", "WHO"}, spent)
}

// phaseMeans says who has a run in each phase.
var phaseMeans = map[string]string{
	check.PhaseDispatch: "schedulers, and Redis",
	check.PhaseQueue:    "the ready stream: no worker had a free slot",
	check.PhaseStart:    "the worker, and its limits",
	check.PhaseRun:      "the command and its target",
	check.PhaseHandlers: "the handlers of the check",
	check.PhaseCommit:   "the worker's batch, and Redis",
}
