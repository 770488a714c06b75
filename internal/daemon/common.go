package daemon

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"regexp"
	"strconv"
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

	redis               redisSettings
	logLevel, logFormat *string
}

// NewCommon defines the settings that every daemon has; listen is the default
// of -listen.
func NewCommon(s *Settings, listen string) *Common {
	return &Common{
		redis:         newRedisSettings(s),
		Prefix:        s.String("prefix", "redpoll", "NAME", "what the name of every key begins with", keyPrefix),
		AllowEviction: s.Bool("allow-eviction", "use a Redis whose maxmemory-policy may evict keys, and with them checks"),
		Listen:        s.String("listen", listen, "ADDRESS", "where /metrics, /healthz and /readyz are served; empty: nowhere", address),
		Pprof:         s.String("pprof", "", "ADDRESS", "loopback address that serves /debug/pprof/; empty: nowhere", address, loopback),
		logLevel:      s.String("log-level", "info", "LEVEL", "least level that is logged: debug, info, warn, error", OneOf("debug", "info", "warn", "error")),
		logFormat:     s.String("log-format", "text", "FORMAT", "text or json", OneOf("text", "json")),
	}
}

// Logger makes the daemon's log on w.
func (c *Common) Logger(w io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(*c.logLevel)); err != nil {
		level = slog.LevelInfo // cannot be: the setting's rule names the levels
	}
	opts := &slog.HandlerOptions{Level: level}
	if *c.logFormat == "json" {
		opts.ReplaceAttr = durationText
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

// durationText writes durations with their unit, as the text format does: JSON
// would have bare nanoseconds.
func durationText(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
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
	_, port, err := net.SplitHostPort(v)
	if err != nil {
		return errors.New("want host:port or :port")
	}
	if _, err := net.LookupPort("tcp", port); err != nil { // the name of a service is one too
		return errors.New("port " + strconv.Quote(port) + ": want 0 to 65535")
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
