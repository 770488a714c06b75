package cli

import (
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/internal/redistest"
	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// A Redis without a password that other hosts reach is told of, from its own
// host too: here one that would listen at an address which it does not have.
func TestDoctorOpen(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		protected, bind, port string
		want                  bool
	}{
		{"yes", "* -::*", "6379", false},
		{"no", "127.0.0.1 -::1", "6379", false},
		{"no", "* -::*", "6379", true},
		{"no", "", "6379", true},
		{"no", "127.0.0.1 -192.0.2.1", "6379", true},
		{"no", "*", "0", false},
	} {
		have := map[string]string{"protected-mode": tt.protected, "bind": tt.bind, "port": tt.port, "tls-port": "0"}
		if got := answersOthers(have); got != tt.want {
			t.Errorf("answersOthers(%v) = %t, want %t", have, got, tt.want)
		}
	}
	server := redistest.Start(t, "--protected-mode", "no")
	found, _ := examine(t, "--redis", server.URL())
	wantFinding(t, found, "user", howOK, "log in to this host")
	if err := server.Client(t).ConfigSet(t.Context(), "bind", "127.0.0.1 -192.0.2.1").Err(); err != nil {
		t.Fatal(err)
	}
	found, code := examine(t, "--redis", server.URL())
	wantFinding(t, found, "user", howBad, "answers to other hosts")
	if code != ExitWrong {
		t.Errorf("code %d, want %d", code, ExitWrong)
	}
}

// Runs that no worker has a slot for are told of, also when nothing is overdue.
func TestDoctorQueue(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	c := server.Client(t)
	q := redisqueue.New(c, "")
	ctx := t.Context()
	lane := check.Lane{Zone: check.DefaultZone}
	if err := q.EnterZone(ctx, lane.Zone); err != nil {
		t.Fatal(err)
	}
	if err := q.Prepare(ctx, lane); err != nil {
		t.Fatal(err)
	}
	now, err := q.Now(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Beat(ctx, check.Heartbeat{Name: "w1", Zones: []string{lane.Zone}, Slots: 1, Every: 60000}); err != nil {
		t.Fatal(err)
	}
	for _, ago := range []time.Duration{2 * time.Minute, time.Minute} {
		id := fmt.Sprintf("%d-0", now-ago.Milliseconds())
		if err := c.XAdd(ctx, &redis.XAddArgs{Stream: q.KeyReady(lane), ID: id, Values: []string{"id", "c1", "token", "x"}}).Err(); err != nil {
			t.Fatal(err)
		}
	}
	take := func() {
		t.Helper()
		if err := c.XReadGroup(ctx, &redis.XReadGroupArgs{Group: redisqueue.GroupWorkers, Consumer: "w1", Streams: []string{q.KeyReady(lane), ">"}, Count: 1}).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []struct{ how, text string }{{howBad, "queued for 2m"}, {howBad, "queued for 1m"}, {howOK, "nothing is late"}} {
		found, _ := examine(t, "--redis", server.URL())
		wantFinding(t, found, "zone "+lane.Zone, want.how, want.text)
		if want.how == howBad {
			take()
		}
	}
}
