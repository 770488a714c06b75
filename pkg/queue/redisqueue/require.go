package redisqueue

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Schema is the newest version of keys and records that this package knows. In
// version 2 checks move between lanes, which version 1 knows nothing of; until
// the first one may move a Redis stays at firstSchema, and binaries of both
// versions work side by side.
const (
	Schema      = 2
	firstSchema = 1
)

// ServerInfo is what the server tells of itself.
type ServerInfo struct {
	Version  string // "7.0.15", empty when the server does not say
	Eviction string // the maxmemory-policy, empty when it does not say
	AOF      string // "1" when the append-only file is on
}

// Info reads what the server tells of itself. What it does not tell stays
// empty: managed services and the embedded mode hide some of it.
func (q *Queue) Info(ctx context.Context) (ServerInfo, error) {
	if err := q.client.Ping(ctx).Err(); err != nil {
		return ServerInfo{}, fmt.Errorf("reach redis: %w", err)
	}
	var info ServerInfo
	for _, section := range []string{"server", "memory", "persistence"} {
		text, err := q.client.Info(ctx, section).Result()
		if err != nil {
			continue
		}
		lines := bufio.NewScanner(strings.NewReader(text))
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), ":")
			switch name {
			case "redis_version":
				info.Version = value
			case "maxmemory_policy":
				info.Eviction = value
			case "aof_enabled":
				info.AOF = value
			}
		}
	}
	return info, nil
}

// Require refuses a server that cannot keep what redpoll promises: older than
// 6.2, one that evicts keys (unless allowEviction), one without EVAL, or one
// that a newer redpoll has taken over. It enters the schema where none is.
func (q *Queue) Require(ctx context.Context, allowEviction bool) error {
	if err := q.suits(ctx, allowEviction); err != nil {
		return err
	}
	return q.enterSchema(ctx)
}

func (q *Queue) suits(ctx context.Context, allowEviction bool) error {
	info, err := q.Info(ctx)
	if err != nil {
		return err
	}
	if info.Version != "" && !atLeast(info.Version, 6, 2) {
		return fmt.Errorf("redis %s is too old: redpoll needs 6.2 or newer", info.Version)
	}
	if info.Eviction != "" && info.Eviction != "noeviction" && !allowEviction {
		return fmt.Errorf("redis evicts keys (maxmemory-policy %s): checks would be lost; "+
			"run CONFIG SET maxmemory-policy noeviction, or start with -allow-eviction", info.Eviction)
	}
	if err := q.client.Eval(ctx, "return 1", nil).Err(); err != nil {
		return fmt.Errorf("redis refuses scripts: redpoll needs EVAL: %w", err)
	}
	return nil
}

// Usable is Require for a daemon that can wait: final says that waiting is of
// no use, since a server that answers is one that Require refuses.
func (q *Queue) Usable(ctx context.Context, allowEviction bool) (final bool, err error) {
	return verdict(q.Require(ctx, allowEviction))
}

// Joinable is Usable for workers, who write nothing that is the schedulers': a
// schema that is missing will come.
func (q *Queue) Joinable(ctx context.Context, allowEviction bool) (final bool, err error) {
	err = q.suits(ctx, allowEviction)
	if err == nil {
		if err = q.schema(ctx); errors.Is(err, redis.Nil) {
			err = nil
		}
	}
	return verdict(err)
}

func verdict(err error) (final bool, _ error) {
	var reply redis.Error
	switch {
	case err == nil:
		return false, nil
	case errors.As(err, &reply):
		return !passes(reply), err
	}
	return errors.Unwrap(err) == nil, err // Require's own verdict has no cause
}

// passes tells an answer of a server that refuses something for a while, full,
// in failover, with another password or too few rights, from one that it gives
// for ever.
func passes(reply error) bool {
	return slices.ContainsFunc([]string{
		"OOM", "READONLY", "NOREPLICAS", "MISCONF", "LOADING", "BUSY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "NOAUTH", "WRONGPASS", "NOPERM",
	}, func(code string) bool { return redis.HasErrorPrefix(reply, code) })
}

func (q *Queue) enterSchema(ctx context.Context) error {
	err := q.schema(ctx)
	if !errors.Is(err, redis.Nil) {
		return err
	}
	// Written only where it is missing: a full server refuses even a repetition.
	if err := q.client.HSetNX(ctx, q.KeyMeta(), "schema", firstSchema).Err(); err != nil {
		return fmt.Errorf("write %s: %w", q.KeyMeta(), err)
	}
	return q.schema(ctx)
}

// schema reads the schema and refuses a newer one; redis.Nil where there is none.
func (q *Queue) schema(ctx context.Context) error {
	have, err := q.client.HGet(ctx, q.KeyMeta(), "schema").Int()
	switch {
	case errors.Is(err, redis.Nil):
		return err
	case err != nil:
		return fmt.Errorf("read schema of %s: %w", q.KeyMeta(), err)
	case have > Schema:
		return &NewerError{q.KeyMeta(), have}
	}
	return nil
}

// NewerError says that the keys are those of a newer redpoll.
type NewerError struct {
	Key  string // where the schema stands
	Have int
}

func (e *NewerError) Error() string {
	return fmt.Sprintf("%s says schema %d, this binary knows %d: a newer redpoll runs here, upgrade this one", e.Key, e.Have, Schema)
}

// Newer gives a *NewerError when the keys are those of a newer redpoll, and nil
// when they are not or that cannot be read: not everybody has the right to.
func (q *Queue) Newer(ctx context.Context) error {
	var newer *NewerError
	if err := q.schema(ctx); errors.As(err, &newer) {
		return newer
	}
	return nil
}

// AllowMoves writes down that checks may move between lanes from now on: older
// binaries, whose schedulers would bring a moved check back, do not start any
// more. Those that run have to be ended before.
func (q *Queue) AllowMoves(ctx context.Context) error {
	have, err := q.client.HGet(ctx, q.KeyMeta(), "schema").Int()
	if err == nil && have >= Schema {
		return nil
	}
	if err := q.client.HSet(ctx, q.KeyMeta(), "schema", Schema).Err(); err != nil {
		return fmt.Errorf("write %s: %w", q.KeyMeta(), err)
	}
	return nil
}

// atLeast compares the first two numbers of a version.
func atLeast(version string, major, minor int) bool {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return false
	}
	a, errA := strconv.Atoi(parts[0])
	b, errB := strconv.Atoi(parts[1])
	if errA != nil || errB != nil {
		return true // a version scheme that we do not know
	}
	return a > major || (a == major && b >= minor)
}
