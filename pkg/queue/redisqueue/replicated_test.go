package redisqueue

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/internal/redistest"
)

// waits counts the calls of WAIT.
type waits struct{ n int }

func (w *waits) DialHook(next redis.DialHook) redis.DialHook { return next }

func (w *waits) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (w *waits) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		for _, cmd := range cmds {
			if strings.EqualFold(cmd.Name(), "wait") {
				w.n++
			}
		}
		return next(ctx, cmds)
	}
}

// Where there are no replicas nobody waits for them.
func TestReplicated(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		var w waits
		r.client.AddHook(&w)
		if ok, err := r.Replicated(t.Context(), lane); err != nil || !ok || w.n != 0 {
			t.Errorf("Replicated = %v %v, and waited %d times", ok, err, w.n)
		}
	})
}

// A replica that hangs has not got what was written since.
func TestReplicatedBehind(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	replica := redistest.Start(t, "--replicaof", "127.0.0.1", fmt.Sprint(server.Port), "--repl-diskless-sync-delay", "0")
	c := server.Client(t)
	var w waits // what counts them where there is nothing to wait for counts them here
	c.AddHook(&w)
	q := New(c, "")
	ctx := t.Context()
	for deadline := time.Now().Add(30 * time.Second); ; { // until it follows
		ok, err := q.Replicated(ctx, lane)
		_, online := countReplicas(c.Info(ctx, "replication").Val())
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("Replicated = %v %v with %d replicas", ok, err, online)
		}
		if ok && online == 1 {
			break
		}
	}
	signal := func(s syscall.Signal) {
		if err := syscall.Kill(replica.Pid(), s); err != nil {
			t.Fatal(err)
		}
	}
	signal(syscall.SIGSTOP)
	defer signal(syscall.SIGCONT)
	if err := c.Set(ctx, "{default:0}", "x", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if ok, err := q.Replicated(ctx, lane); ok || err != nil {
		t.Errorf("Replicated = %v %v while the replica hangs", ok, err)
	}
	if w.n == 0 {
		t.Error("no WAIT was seen")
	}
	signal(syscall.SIGCONT)
	for deadline := time.Now().Add(30 * time.Second); ; {
		if ok, err := q.Replicated(ctx, lane); ok && err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the replica goes on, and nothing is replicated")
		}
	}
}

func TestCountReplicas(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][2]int{
		"role:master\r\nconnected_slaves:0\r\n": {},
		"connected_slaves:2\r\nslave0:ip=127.0.0.1,port=1,state=online,offset=5,lag=0\r\nslave1:ip=127.0.0.1,port=2,state=wait_bgsave,offset=0,lag=0\r\n": {2, 1},
		"role:slave\r\nslave_read_only:1\r\nslave_priority:100\r\nconnected_slaves:0\r\n":                                                                 {},
	} {
		if connected, online := countReplicas(text); connected != want[0] || online != want[1] {
			t.Errorf("countReplicas(%q) = %d %d, want %v", text, connected, online, want)
		}
	}
}
