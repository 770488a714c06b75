package redisqueue

import (
	"context"

	"github.com/redpoll/redpoll/pkg/check"
)

var runScript = script("run")

// RunNow makes a check due at once, by the request with the revision rev. It
// clears the crash count. A queued check is left as it is.
func (q *Queue) RunNow(ctx context.Context, lane check.Lane, id, rev string) (check.AdoptOutcome, error) {
	keys := []string{q.KeyRuns(lane), q.KeyDue(lane)}
	out, err := q.run(ctx, runScript, "run", keys, id, rev).Text()
	return check.AdoptOutcome(out), err
}
