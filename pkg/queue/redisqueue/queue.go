package redisqueue

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Queue is the Redis side of a fleet. It is safe for concurrent use, holds no
// state of its own but the client, and any number of them share one Redis.
type Queue struct {
	client redis.UniversalClient
	prefix string
}

// New makes a Queue of a client, which stays the caller's to close. An empty
// prefix means DefaultPrefix.
func New(client redis.UniversalClient, prefix string) *Queue {
	if prefix == "" {
		prefix = DefaultPrefix
	}
	return &Queue{client: client, prefix: prefix}
}

// Client gives the client that the Queue was made of.
func (q *Queue) Client() redis.UniversalClient { return q.client }

//go:embed lua/*.lua
var luaFiles embed.FS

// script reads lua/<name>.lua with the prelude in front.
func script(name string) *redis.Script {
	return redis.NewScript(luaText("prelude") + luaText(name))
}

func luaText(name string) string {
	text, err := luaFiles.ReadFile("lua/" + name + ".lua")
	if err != nil {
		panic(err) // the file is part of the binary
	}
	return string(text)
}

// run executes a script and names it in errors.
func (q *Queue) run(ctx context.Context, s *redis.Script, name string, keys []string, args ...any) *redis.Cmd {
	cmd := s.Run(ctx, q.client, keys, args...)
	if err := cmd.Err(); err != nil && !errors.Is(err, redis.Nil) {
		cmd.SetErr(fmt.Errorf("%s %s: %w", name, keys[0], err))
	}
	return cmd
}

// words runs a script that answers with an array.
func (q *Queue) words(ctx context.Context, s *redis.Script, name string, keys []string, args ...any) ([]any, error) {
	reply, err := q.run(ctx, s, name, keys, args...).Slice()
	if err != nil {
		return nil, err
	}
	return reply, nil
}

// isReply tells an error that the server answered from any other.
func isReply(err error) bool {
	var reply redis.Error
	return errors.As(err, &reply) && !errors.Is(err, redis.Nil)
}

// named says which key the error of a pipeline is about.
func named(cmds []redis.Cmder, err error) error {
	for _, c := range cmds {
		if args := c.Args(); isReply(c.Err()) && len(args) > 1 {
			return fmt.Errorf("%v: %w", args[1], c.Err())
		}
	}
	return err
}

func isNoGroup(err error) bool {
	return err != nil && strings.Contains(err.Error(), "NOGROUP")
}

// isNoKey tells that XINFO was asked about a stream that is not there.
func isNoKey(err error) bool {
	return err != nil && strings.Contains(err.Error(), "no such key")
}

// isTimeout tells a blocking read that saw nothing from one that failed:
// go-redis reports some of the former as a network timeout.
func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

func toInt(v any) int64 {
	n, _ := v.(int64)
	return n
}

func toText(v any) string {
	s, _ := v.(string)
	return s
}
