package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
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

// connect opens the way to Redis, once, and asks whether anybody is there.
func (a *app) connect(ctx context.Context) (*connection, error) {
	if a.conn != nil {
		return a.conn, nil
	}
	security, err := a.security()
	if err != nil {
		return nil, &codeError{ExitUsage, err}
	}
	url := a.opt.redis
	if !strings.Contains(url, "://") {
		url = "redis://" + url
	}
	client, err := redisqueue.Open(url, security)
	if err != nil {
		return nil, &codeError{ExitUsage, err}
	}
	a.conn = &connection{redisqueue.New(client, a.opt.prefix), client}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	if err := client.Ping(ctx).Err(); err != nil {
		return nil, a.refused(err)
	}
	return a.conn, nil
}

// refused says why Redis does not let us in, without the password.
func (a *app) refused(err error) error {
	line, _ := a.opt.redisCLI([]string{"PING"})
	if text := err.Error(); strings.Contains(text, "NOAUTH") || strings.Contains(text, "WRONGPASS") {
		return &codeError{ExitUsage, fmt.Errorf("redis refuses the password: %w; --redis-password-file or REDPOLL_REDIS_PASSWORD_FILE gives it", err)}
	}
	return &codeError{ExitUnreachable, fmt.Errorf("redis does not answer: %w; try '%s', or 'redpoll demo' which needs none", err, line)}
}

func (a *app) close() {
	if a.conn != nil {
		_ = a.conn.closer.Close()
	}
}

// security reads the files that the connection needs.
func (a *app) security() (redisqueue.Security, error) {
	s := redisqueue.Security{Username: a.opt.user, Password: a.opt.password}
	if f := a.opt.passwordFile; f != "" {
		text, err := os.ReadFile(f)
		if err != nil {
			return s, fmt.Errorf("redis-password-file: %w", err)
		}
		s.Password = strings.TrimRight(string(text), "\r\n")
	}
	if a.opt.ca == "" && a.opt.cert == "" && a.opt.key == "" {
		return s, nil
	}
	s.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	if a.opt.ca != "" {
		text, err := os.ReadFile(a.opt.ca)
		if err != nil {
			return s, fmt.Errorf("redis-ca: %w", err)
		}
		s.TLS.RootCAs = x509.NewCertPool()
		if !s.TLS.RootCAs.AppendCertsFromPEM(text) {
			return s, fmt.Errorf("redis-ca: %s holds no certificate", a.opt.ca)
		}
	}
	if (a.opt.cert == "") != (a.opt.key == "") {
		return s, errors.New("redis-cert and redis-key: one needs the other")
	}
	if a.opt.cert != "" {
		pair, err := tls.LoadX509KeyPair(a.opt.cert, a.opt.key)
		if err != nil {
			return s, fmt.Errorf("redis-cert and redis-key: %w", err)
		}
		s.TLS.Certificates = []tls.Certificate{pair}
	}
	return s, nil
}
