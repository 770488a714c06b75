package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// connectTimeout bounds the first question to Redis.
const connectTimeout = 5 * time.Second

// connection is an open way to Redis.
type connection struct {
	*redisqueue.Queue
	closer io.Closer
}

// connect opens the way to Redis, once, and asks whether anybody is there, and
// whether the keys are those that we know.
func (a *app) connect(ctx context.Context) (*connection, error) {
	if a.conn != nil {
		return a.conn, nil
	}
	client, err := redisqueue.Open(a.redisURL(), a.security())
	if err != nil {
		return nil, &codeError{ExitUsage, err}
	}
	a.conn = &connection{redisqueue.New(client, a.opt.prefix), client}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	if err := client.Ping(ctx).Err(); err != nil {
		return nil, a.refused(err)
	}
	if a.anySchema {
		return a.conn, nil
	}
	if err := a.conn.Newer(ctx); err != nil {
		return nil, err
	}
	return a.conn, nil
}

// redisURL is the URL of Redis, also where its scheme was left out.
func (a *app) redisURL() string {
	if !strings.Contains(a.opt.redis, "://") {
		return "redis://" + a.opt.redis
	}
	return a.opt.redis
}

// refused says why Redis does not let us in, without the password.
func (a *app) refused(err error) error {
	hint := redisqueue.Explain(err)
	if text := err.Error(); strings.Contains(text, "NOAUTH") || strings.Contains(text, "WRONGPASS") {
		if strings.Contains(hint, "sentinel") {
			return &codeError{ExitUsage, fmt.Errorf("%w; %s", err, hint)}
		}
		return &codeError{ExitUsage, fmt.Errorf("redis refuses the password: %w; --redis-password-file or REDPOLL_REDIS_PASSWORD_FILE gives it", err)}
	}
	if hint == "" {
		line, _ := a.opt.redisCLI([]string{"PING"})
		hint = fmt.Sprintf("try '%s', or 'redpoll demo' which needs none", line)
	}
	return &codeError{ExitUnreachable, fmt.Errorf("redis does not answer: %w; %s", err, hint)}
}

func (a *app) close() {
	if a.conn != nil {
		_ = a.conn.closer.Close()
	}
}

// security is what the connection needs beside its URL.
func (a *app) security() redisqueue.Security {
	return redisqueue.Security{
		Username: a.opt.user, Password: a.opt.password, PasswordFile: a.opt.passwordFile,
		CAFile: a.opt.ca, CertFile: a.opt.cert, KeyFile: a.opt.key, ServerName: a.opt.serverName,
		SentinelUsername: a.opt.sentinelUser, SentinelPassword: a.opt.sentinelPassword, SentinelPasswordFile: a.opt.sentinelPasswordFile,
	}
}
