package cli

import (
	"context"
	"errors"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// kindRefused is a spec that can be read and that no scheduler takes: its params
// or its command are wrong. A hand wrote it, and the check stands still.
const kindRefused = "refused"

// isRefused tells whether a record says that this very text was refused.
func isRefused(r redisqueue.Record, spec string) bool {
	return r.State == "bad" && r.SHA != "" && strings.HasPrefix(check.SHA(spec), r.SHA)
}

// refusals says of those of a page whose spec was refused why. Where Redis lets
// nobody read the records, doctor says why, and nothing is known here.
func refusals(ctx context.Context, conn *connection, lane check.Lane, page []stored) error {
	records, err := conn.Records(ctx, lane, idsOf(page))
	var reply redis.Error
	switch {
	case errors.As(err, &reply):
		return nil
	case err != nil:
		return err
	}
	for i := range page {
		if page[i].lane == lane {
			page[i].judge(conn, records[i])
		}
	}
	return nil
}

// judge notes why the spec was refused, if its record says that it was.
func (s *stored) judge(conn *connection, r redisqueue.Record) {
	if s.err == nil && isRefused(r, s.Spec) {
		s.refused = refusal(conn, s.check)
	}
}

// refusal says why a check stands still: what is wrong with its params, as far
// as that can be known here.
func refusal(conn *connection, c *check.Check) string {
	if err := validateParams(commands.Builtin(), c); err != nil {
		return "refused: " + err.Error()
	}
	return "refused: " + conn.KeyIntakeLog() + " has the verdict"
}
