package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// redisSettings say how Redis is reached.
type redisSettings struct {
	set                 *Settings
	url, user, password *string
	ca, cert, key       *string
	serverName          *string
	// sentinelUser and sentinelPassword are what Sentinels ask for themselves.
	sentinelUser, sentinelPassword *string
}

func newRedisSettings(s *Settings) redisSettings {
	return redisSettings{
		set: s,
		url: s.Secret("redis", "redis://127.0.0.1:6379/0", "URL",
			"where Redis is: redis://, rediss:// (TLS), unix://, redis+cluster://, redis+sentinel://", hasScheme),
		user: s.String("redis-user", "", "NAME", "user of Redis, when it does not stand in -redis"),
		password: s.Secret("redis-password", "", "TEXT",
			"password of Redis, when it does not stand in -redis; best given by its file variable"),
		ca:           s.String("redis-ca", "", "FILE", "certificates that sign that of Redis; empty: those of the system", readable),
		cert:         s.String("redis-cert", "", "FILE", "certificate to show to Redis", readable),
		key:          s.String("redis-key", "", "FILE", "private key of -redis-cert", readable),
		serverName:   s.String("redis-server-name", "", "NAME", "name in the certificate of Redis, when it is not the host of -redis"),
		sentinelUser: s.String("redis-sentinel-user", "", "NAME", "user of the Sentinels themselves"),
		sentinelPassword: s.Secret("redis-sentinel-password", "", "TEXT",
			"password of the Sentinels themselves, which is not that of Redis; best given by its file variable"),
	}
}

// Redis tells how Redis is reached, after Settings.Parse. Never log any of it.
func (c *Common) Redis() (url string, sec redisqueue.Security) {
	r := c.redis
	return *r.url, redisqueue.Security{
		Username: *r.user, Password: *r.password, PasswordFile: r.set.FileOf("redis-password"),
		CAFile: *r.ca, CertFile: *r.cert, KeyFile: *r.key, ServerName: *r.serverName,
		SentinelUsername: *r.sentinelUser, SentinelPassword: *r.sentinelPassword, SentinelPasswordFile: r.set.FileOf("redis-sentinel-password"),
	}
}

// WarnInClear tells in the log when what is said to Redis crosses a network
// unguarded.
func (c *Common) WarnInClear(ctx context.Context, log *slog.Logger) {
	if url, sec := c.Redis(); redisqueue.InClear(url, sec) {
		log.WarnContext(ctx, "passwords and checks go to redis in clear text: who reads or changes them on the way rules the fleet",
			"fix", "rediss:// in -redis, and -redis-ca")
	}
}

// explained adds what to do about it to an error of the connection to Redis.
func explained(err error) error {
	if hint := redisqueue.Explain(err); hint != "" {
		return fmt.Errorf("%w; %s", err, hint)
	}
	return err
}

func hasScheme(v string) error {
	if scheme, rest, ok := strings.Cut(v, "://"); !ok || scheme == "" || rest == "" {
		return errors.New("want a URL such as redis://127.0.0.1:6379/0")
	}
	return nil
}

func readable(path string) error {
	if path == "" {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return f.Close()
}
