package redisqueue

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/internal/redistest"
)

// saying answers INFO in the place of a server, and refuses EVAL if it is to.
type saying struct {
	info   string
	noEval bool
}

func (s saying) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (s saying) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		switch c := cmd.(type) {
		case *redis.StringCmd:
			if c.Name() == "info" && s.info != "" {
				c.SetVal(s.info)
				return nil
			}
		case *redis.Cmd:
			if s.noEval && c.Name() == "eval" {
				err := errors.New("ERR unknown command 'eval'")
				c.SetErr(err)
				return err
			}
		}
		return next(ctx, cmd)
	}
}

func (s saying) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func TestRequire(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		info     string
		eviction bool // allowed
		noEval   bool
		schema   string
		want     string // in the error; empty: none
	}{
		{name: "new", info: "redis_version:7.0.15\r\nmaxmemory_policy:noeviction\r\n"},
		{name: "the oldest", info: "redis_version:6.2.0\r\n"},
		{name: "a fork with another count", info: "redis_version:255.255.255\r\n"},
		{name: "one that does not say", info: "# Server\r\n"},
		{name: "a version of another kind", info: "redis_version:cloud.x\r\n"},
		{name: "too old", info: "redis_version:6.0.16\r\n", want: "6.2 or newer"},
		{name: "far too old", info: "redis_version:5.0.14\r\n", want: "redis 5.0.14 is too old"},
		{name: "evicts", info: "redis_version:7.0.0\r\nmaxmemory_policy:allkeys-lru\r\n", want: "CONFIG SET maxmemory-policy noeviction"},
		{name: "evicts, allowed", info: "redis_version:7.0.0\r\nmaxmemory_policy:allkeys-lru\r\n", eviction: true},
		{name: "no scripts", noEval: true, want: "redpoll needs EVAL"},
		{name: "the first schema", schema: "1"},
		{name: "the same schema", schema: "2"},
		{name: "an older schema", schema: "0"},
		{name: "a newer schema", schema: "3", want: "upgrade this one"},
		{name: "junk for a schema", schema: "x", want: "read schema of redpoll:meta"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := redistest.Mini(t)
			q := New(c, "")
			if tt.schema != "" {
				if err := c.HSet(t.Context(), q.KeyMeta(), "schema", tt.schema).Err(); err != nil {
					t.Fatal(err)
				}
			}
			c.AddHook(saying{info: tt.info, noEval: tt.noEval})
			err := q.Require(t.Context(), tt.eviction)
			if (err == nil) != (tt.want == "") || (err != nil && !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("Require() = %v, want %q in it", err, tt.want)
			}
			if err == nil && tt.schema == "" && c.HGet(t.Context(), q.KeyMeta(), "schema").Val() != "1" {
				t.Error("the schema was not written")
			}
		})
	}
}

// A real server that evicts is refused with what to do about it, one that is
// away with its address.
func TestRequireOfRealServers(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, "--maxmemory-policy", "volatile-ttl")
	q := New(s.Client(t), "")
	if err := q.Require(t.Context(), false); err == nil || !strings.Contains(err.Error(), "volatile-ttl") {
		t.Errorf("Require() = %v, want the policy named", err)
	}
	if err := q.Require(t.Context(), true); err != nil {
		t.Errorf("Require() where eviction is allowed = %v", err)
	}
	s.Kill()
	if err := q.Require(t.Context(), true); err == nil || !strings.Contains(err.Error(), s.Addr()) {
		t.Errorf("Require() of a server that is away = %v, want its address", err)
	}
}
