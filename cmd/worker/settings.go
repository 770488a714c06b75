package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/internal/daemon"
	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands"
	"github.com/redpoll/redpoll/pkg/handlers"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
	"github.com/redpoll/redpoll/pkg/worker"
)

// healthAge is how long the worker's loop may stand still; it turns each
// second.
const healthAge = 30 * time.Second

// settings are those of a worker, and what was opened for them.
type settings struct {
	common   *daemon.Common
	name     *string
	zones    *[]string
	slots    *int
	lease    *time.Duration
	grace    *time.Duration
	observe  observeSettings
	client   redis.UniversalClient
	tools    commands.Tools
	handlers []daemon.HandlerEntry
	uplinks  []worker.UplinkTest
}

// readSettings reads all settings and opens what they name. Every fault is
// found at once.
func readSettings(p *daemon.Process) (*settings, error) {
	set := daemon.NewSettings(p, "runs the checks that are due")
	s := &settings{common: daemon.NewCommon(set, ":9102")}
	s.name = set.String("name", defaultName(), "NAME", "the worker's name, which no other process may have", nameForm)
	s.zones = set.List("zones", check.DefaultZone, "ZONE", "the zones whose checks run here", zoneNames)
	s.slots = set.Int("slots", worker.DefaultSlots, "checks", "how many checks run at once", daemon.AtLeast(1), daemon.AtMost(1_000_000))
	s.lease = set.Duration("lease", worker.DefaultLease, "after how long a worker that does not answer loses its checks",
		daemon.AtLeast(time.Second), daemon.AtMost(check.MaxLease))
	s.grace = set.Duration("grace", worker.DefaultGrace, "how long running checks may go on after the stop", daemon.AtLeast(time.Duration(0)))
	s.observe = newObserveSettings(set)
	file := set.String("handlers", "", "FILE", "handlers.yaml, which names the handlers of results; empty: none")
	deny := set.List("deny-targets", "", "CIDR", "addresses that no check reaches, beside link-local and cloud metadata; one with a leading ! is let through")
	secrets := set.String("secrets", "", "DIR", "directory with a file for each secret that checks name; empty: none")
	uplink := set.List("uplink", "", "[ZONE=]TARGET", "what the worker's own network is tried out with, host for ping or tcp:host:port: when all targets of a zone fail the worker takes no checks of it", func(list []string) error {
		_, err := uplinkTests(list)
		return err
	})
	plugins := set.String("plugins", "", "FILE", "plugins.yaml, the programs that checks of the command plugin may run; empty: none")
	err := set.Parse()
	if errors.Is(err, daemon.ErrHelp) {
		return nil, err
	}
	if s.tools.Guard, err = commands.NewGuard(*deny); err != nil {
		set.Fault("deny-targets", strings.Join(*deny, ","), err)
	}
	if *secrets != "" {
		if s.tools.Secrets, err = commands.OpenSecrets(*secrets); err != nil {
			set.Fault("secrets", *secrets, err)
		}
	}
	if *plugins != "" {
		if s.tools.Plugins, err = commands.OpenPlugins(*plugins); err != nil {
			set.Fault("plugins", *plugins, err)
		}
	}
	if *file != "" {
		lent := handlers.Tools{Log: s.common.Logger(p.Stderr)}
		if s.tools.Secrets != nil {
			lent.Secrets = s.tools.Secrets
		}
		types := handlers.BuiltinWith(lent)
		if s.handlers, err = daemon.LoadHandlers(*file, types); err != nil {
			set.Fault("handlers", *file, err)
		}
	}
	s.uplinks, _ = uplinkTests(*uplink) // its fault was found by Parse
	s.connect(set)
	if err := set.Err(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// connect makes the client of Redis, which checks must not reach.
func (s *settings) connect(set *daemon.Settings) {
	url, sec := s.common.Redis()
	sec.Dialed = protect(s.tools.Guard)
	client, err := redisqueue.Open(url, sec)
	if err != nil {
		set.Fault("redis", "", err)
		return
	}
	s.client = client
}

// config is that of the worker.
func (s *settings) config(q worker.Queue, log *slog.Logger) worker.Config {
	cfg := worker.Config{
		Queue: q, Commands: commands.BuiltinWith(s.tools), Name: *s.name, Version: daemon.Version(),
		Zones: *s.zones, Slots: *s.slots, Lease: *s.lease, Grace: *s.grace, Uplinks: s.uplinks, Logger: log,
	}
	if cfg.Grace == 0 {
		cfg.Grace = -1 // none, not the default
	}
	s.observe.into(&cfg)
	_, cfg.ReadApart = s.client.(*redis.ClusterClient)
	for _, h := range s.handlers {
		cfg.Handlers = append(cfg.Handlers, instance(h))
	}
	return cfg
}

// close closes what was opened.
func (s *settings) close() {
	var all sync.WaitGroup // each may take a while to send what it has
	for _, h := range s.handlers {
		if c, ok := h.Handler.(io.Closer); ok {
			all.Go(func() { _ = c.Close() }) // the process ends
		}
	}
	all.Wait()
	if s.client != nil {
		_ = s.client.Close() // likewise
	}
}

// defaultName is the host's name, which is the pod's, with the process id.
func defaultName() string {
	host, err := os.Hostname()
	if err != nil || nameForm(host) != nil {
		host = "worker"
	}
	return fmt.Sprintf("%.100s-%d", host, os.Getpid())
}

var (
	nameRule = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,128}$`)
	zoneRule = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)
)

func nameForm(v string) error {
	if !nameRule.MatchString(v) {
		return errors.New("want 1 to 128 letters, digits, dots, colons or dashes")
	}
	return nil
}

func zoneNames(list []string) error {
	if len(list) == 0 {
		return errors.New("want at least one zone")
	}
	for _, z := range list {
		if !zoneRule.MatchString(z) {
			return fmt.Errorf("zone %q: want 1 to 32 of a-z 0-9 -", z)
		}
	}
	return nil
}
