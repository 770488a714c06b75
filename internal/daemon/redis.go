package daemon

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
)

// redisSettings say how Redis is reached.
type redisSettings struct {
	url, user, password *string
	ca, cert, key       *string
}

func newRedisSettings(s *Settings) redisSettings {
	return redisSettings{
		url: s.Secret("redis", "redis://127.0.0.1:6379/0", "URL",
			"where Redis is: redis://, rediss:// (TLS), unix://, redis+cluster://, redis+sentinel://", hasScheme),
		user: s.String("redis-user", "", "NAME", "user of Redis, when it does not stand in -redis"),
		password: s.Secret("redis-password", "", "TEXT",
			"password of Redis, when it does not stand in -redis; best given by its file variable"),
		ca:   s.String("redis-ca", "", "FILE", "certificates that sign that of Redis; empty: those of the system", readable),
		cert: s.String("redis-cert", "", "FILE", "certificate to show to Redis", readable),
		key:  s.String("redis-key", "", "FILE", "private key of -redis-cert", readable),
	}
}

// Redis tells how Redis is reached. User and password are empty where those of
// the URL hold; the TLS config is nil unless a file for it is set. Never log
// any of it. A fault of the files is a *SettingsError.
func (c *Common) Redis() (url, user, password string, conf *tls.Config, err error) {
	r := c.redis
	if conf, err = r.tls(); err != nil {
		return "", "", "", nil, &SettingsError{Name: c.name, Faults: []string{err.Error()}}
	}
	return *r.url, *r.user, *r.password, conf, nil
}

func (r redisSettings) tls() (*tls.Config, error) {
	if *r.ca == "" && *r.cert == "" && *r.key == "" {
		return nil, nil
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if *r.ca != "" {
		pem, err := os.ReadFile(*r.ca)
		if err != nil {
			return nil, fmt.Errorf("-redis-ca %q: %w", *r.ca, err)
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("-redis-ca %q: there is no certificate in it", *r.ca)
		}
	}
	if *r.cert != "" || *r.key != "" {
		pair, err := tls.LoadX509KeyPair(*r.cert, *r.key)
		if err != nil {
			return nil, fmt.Errorf("-redis-cert %q, -redis-key %q: %w", *r.cert, *r.key, err)
		}
		conf.Certificates = []tls.Certificate{pair}
	}
	return conf, nil
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
