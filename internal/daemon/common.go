package daemon

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
)

// Common are the settings that every daemon has. Valid after Settings.Parse.
type Common struct {
	// Prefix begins the name of every key.
	Prefix *string
	// AllowEviction lets the daemon use a Redis that may evict keys.
	AllowEviction *bool
	// Listen is where metrics and health are served; empty: nowhere.
	Listen *string
	// Pprof is a loopback address for profiles; empty: nowhere.
	Pprof *string

	redis, password     *string
	logLevel, logFormat *string
}

// NewCommon defines the settings that every daemon has; listen is the default
// of -listen.
func NewCommon(s *Settings, listen string) *Common {
	return &Common{
		redis: s.Secret("redis", "redis://127.0.0.1:6379/0", "URL",
			"where Redis is: redis://, rediss:// (TLS), unix://, redis+cluster://, redis+sentinel://", hasScheme),
		password: s.Secret("redis-password", "", "TEXT",
			"password of Redis, when it does not stand in -redis; best given by its file variable"),
		Prefix:        s.String("prefix", "redpoll", "NAME", "what the name of every key begins with", keyPrefix),
		AllowEviction: s.Bool("allow-eviction", "use a Redis whose maxmemory-policy may evict keys, and with them checks"),
		Listen:        s.String("listen", listen, "ADDRESS", "where /metrics, /healthz and /readyz are served; empty: nowhere", address),
		Pprof:         s.String("pprof", "", "ADDRESS", "loopback address that serves /debug/pprof/; empty: nowhere", address, loopback),
		logLevel:      s.String("log-level", "info", "LEVEL", "least level that is logged: debug, info, warn, error", OneOf("debug", "info", "warn", "error")),
		logFormat:     s.String("log-format", "text", "FORMAT", "text or json", OneOf("text", "json")),
	}
}

// RedisURL is the address of Redis with the password in it: never log it.
func (c *Common) RedisURL() string {
	if *c.password == "" {
		return *c.redis
	}
	scheme, rest, _ := strings.Cut(*c.redis, "://")
	user := ""
	// By hand: the host part of a cluster's address is a list, which net/url refuses.
	if at := strings.LastIndex(rest, "@"); at >= 0 {
		user, _, _ = strings.Cut(rest[:at], ":")
		rest = rest[at+1:]
	}
	return scheme + "://" + user + ":" + url.QueryEscape(*c.password) + "@" + rest
}

// Logger makes the daemon's log on w.
func (c *Common) Logger(w io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(*c.logLevel)); err != nil {
		level = slog.LevelInfo // cannot be: the setting's rule names the levels
	}
	opts := &slog.HandlerOptions{Level: level}
	if *c.logFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

func hasScheme(v string) error {
	if scheme, rest, ok := strings.Cut(v, "://"); !ok || scheme == "" || rest == "" {
		return errors.New("want a URL such as redis://127.0.0.1:6379/0")
	}
	return nil
}

// prefixForm keeps braces out: the hash tag of a key is its lane.
var prefixForm = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,64}$`)

func keyPrefix(v string) error {
	if !prefixForm.MatchString(v) {
		return fmt.Errorf("want 1 to 64 letters, digits, dots, colons or dashes")
	}
	return nil
}

func address(v string) error {
	if v == "" {
		return nil
	}
	if _, _, err := net.SplitHostPort(v); err != nil {
		return errors.New("want host:port or :port")
	}
	return nil
}

func loopback(v string) error {
	if v == "" {
		return nil
	}
	host, _, _ := net.SplitHostPort(v)
	if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
		return errors.New("profiles show memory: want a loopback address such as 127.0.0.1:6060")
	}
	return nil
}
