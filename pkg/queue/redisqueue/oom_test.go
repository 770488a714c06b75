package redisqueue

import (
	"testing"

	"github.com/redpoll/redpoll/internal/redistest"
	"github.com/redpoll/redpoll/pkg/check"
)

// A Redis that is full refuses a script whose first write may add something:
// the intake's lock, without which neither requests nor repair go on, and the
// list of zones must get through all the same.
func TestLockAndZoneWhenFull(t *testing.T) {
	t.Parallel()
	ctx, client := t.Context(), redistest.Start(t).Client(t)
	q := New(client, "")
	if err := client.ConfigSet(ctx, "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	if got, err := q.IntakeLock(ctx, "a"); !got || err != nil {
		t.Errorf("IntakeLock() = %v, %v, want the lock", got, err)
	}
	if got, err := q.IntakeLock(ctx, "b"); got || err != nil {
		t.Errorf("IntakeLock() of another = %v, %v, want none", got, err)
	}
	if err := q.RestoreZone(ctx, "fra", check.Zone{Version: 1, Partitions: 2}); err != nil {
		t.Error(err)
	}
}
