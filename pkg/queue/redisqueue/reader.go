package redisqueue

import (
	"context"

	"github.com/redpoll/redpoll/pkg/check"
)

var readerScript = script("reader")

// OpenReader makes a handler's consumer group of a lane's changes, if it is not
// there: it begins with what comes next, or at 0 when there was one before, as
// the hash of readers or the caller knows.
func (q *Queue) OpenReader(ctx context.Context, lane check.Lane, handler string, known bool) (check.ReaderState, error) {
	flag := 0
	if known {
		flag = 1
	}
	keys := []string{q.KeyReaders(lane), q.KeyChanges(lane)}
	out, err := q.run(ctx, readerScript, "reader", keys, handler, flag).Text()
	return check.ReaderState(out), err
}
