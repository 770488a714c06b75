package redistest_test

import (
	"testing"
	"time"

	"github.com/redpoll/redpoll/internal/redistest"
)

// eventually waits for what servers bring about.
func eventually(t *testing.T, what func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	late := time.After(30 * time.Second)
	for !what() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("it did not happen within 30 s")
		}
	}
}

// A server on a port that another one has does not pass for running.
func TestTakenPort(t *testing.T) {
	t.Parallel()
	first := redistest.Start(t)
	second := redistest.Server{Port: first.Port, Dir: t.TempDir()}
	t.Cleanup(second.Kill)
	if err := second.Run(t); err == nil {
		t.Error("the second server runs, and the first one has its port")
	}
}

// A slot moves with what is in it, and a replica takes over from a primary that
// is killed.
func TestCluster(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := redistest.StartCluster(t, 3)
	client := c.Client()
	if err := client.Set(ctx, "{a}x", "1", 0).Err(); err != nil {
		t.Fatal(err)
	}
	from := c.Primary("{a}x")
	to := c.MoveSlot("{a}x")
	if got := c.Primary("{a}x"); got != to || got == from || client.Get(ctx, "{a}x").Val() != "1" {
		t.Errorf("the slot is with %s and has %q, want %s and 1", got.Addr(), client.Get(ctx, "{a}x").Val(), to.Addr())
	}
	to.Kill()
	eventually(t, func() bool { return client.Set(ctx, "{a}x", "2", 0).Err() == nil })
	if c.Primary("{a}x") == to {
		t.Error("the primary that was killed is one still")
	}
}

func TestSentinel(t *testing.T) {
	t.Parallel()
	s := redistest.StartSentinels(t)
	client := s.Client()
	var first *redistest.Server // not always the one that began as it, where machines stand still
	eventually(t, func() bool {
		first = s.Primary()
		return first != nil && client.Set(t.Context(), "x", "1", 0).Err() == nil
	})
	first.Kill()
	eventually(t, func() bool { // the sentinels hear of it one after the other
		p := s.Primary()
		return client.Set(t.Context(), "x", "2", 0).Err() == nil && p != nil && p != first
	})
}

// The users replica and sentinel of deploy/redis/users.acl may do what a
// failover needs, and what brings the old primary back as a replica.
func TestSentinelRoles(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := redistest.StartSentinelRoles(t)
	old := s.Servers[0]
	if err := s.Client().Set(ctx, "x", "1", 0).Err(); err != nil {
		t.Fatal(err)
	}
	old.Kill()
	eventually(t, func() bool { return s.Client().Set(ctx, "x", "2", 0).Err() == nil && s.Primary() != old })
	if err := old.Run(t); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return old.Client(t).Get(ctx, "x").Val() == "2" })
	for _, server := range s.Servers {
		list, err := server.Client(t).ACLLog(ctx, 100).Result()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			t.Errorf("%s was refused %s (%s): extend deploy/redis/users.acl", e.Username, e.Object, e.Reason)
		}
	}
}
