package worker

import (
	"context"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// Outbox is where changes of incidents wait for the handlers that get them from
// the stream. A Queue that is one as well is needed for such handlers;
// *redisqueue.Queue is. All of it is safe for concurrent use and safe to repeat.
type Outbox interface {
	Holder
	ChangeReader
	Settler
	AlertReader
}

// Holder gives one worker at a time the right to deliver the changes of a lane
// to a handler.
type Holder interface {
	// DeliveryOwners tells whose the right is, for each of the handlers: a token,
	// or the name of a worker that alone may take it and a slash, or nobody's.
	DeliveryOwners(ctx context.Context, lane check.Lane, handlers []string) ([]string, error)
	// HoldDelivery takes the right for ttl, KeepDelivery makes it last; false: it
	// is another's, or ran out. GiveDelivery gives it back, or to next.
	HoldDelivery(ctx context.Context, h check.DeliveryHold, ttl time.Duration) (bool, error)
	KeepDelivery(ctx context.Context, h check.DeliveryHold, ttl time.Duration) (bool, error)
	GiveDelivery(ctx context.Context, h check.DeliveryHold, next string, ttl time.Duration) error
}

// ChangeReader hands out changes.
type ChangeReader interface {
	// OpenReader makes a handler's place in a lane's changes, if there is none.
	OpenReader(ctx context.Context, lane check.Lane, handler string, known bool) (check.ReaderState, error)
	// FetchChanges reads what a handler is to get; check.ErrNoReader: its place is
	// lost.
	FetchChanges(ctx context.Context, req check.ChangeRequest) (check.ChangePage, error)
	// Change reads one entry again; without an event when it is gone.
	Change(ctx context.Context, lane check.Lane, sid string) (check.ChangeEntry, error)
	// News waits up to block for changes behind those in from, tells where there
	// are some, and brings from up to date; with a block of 0 it only looks.
	News(ctx context.Context, from map[check.Lane]string, block time.Duration) ([]check.Lane, error)
}

// Settler ends changes for a handler; false when the hold is another's.
type Settler interface {
	Settle(ctx context.Context, h check.DeliveryHold, done check.Settlement) (bool, error)
	Bury(ctx context.Context, h check.DeliveryHold, letter check.DeadLetter) (bool, error)
}

// AlertReader reads what stands of incidents and checks, and who is there.
type AlertReader interface {
	// Alerts answers in the order of ids.
	Alerts(ctx context.Context, lane check.Lane, handler string, ids []string) ([]check.Alert, error)
	// ScanIncidents reads a page; cursor is 0 at the start, next at the end.
	ScanIncidents(ctx context.Context, lane check.Lane, cursor uint64, count int) (found []check.Alert, next uint64, err error)
	// Specs answers in the order of ids.
	Specs(ctx context.Context, lane check.Lane, ids []string) ([]check.Stored, error)
	// Workers gives the heartbeats.
	Workers(ctx context.Context) ([]check.Heartbeat, error)
}
