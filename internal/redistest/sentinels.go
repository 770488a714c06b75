package redistest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Sentinels are a primary with replicas, watched by three sentinels, of one test.
type Sentinels struct {
	t         testing.TB
	Servers   []*Server // the primary at first
	sentinels []*Server
	user      string // of clients; empty: the default one
}

// DownAfter is after how long sentinels take a server for dead. They ping once a
// second: with no more time than that they may take a primary for dead that they
// have just made, before its first answer.
const DownAfter = 3 * time.Second

// StartSentinels starts a primary, two replicas and three sentinels.
func StartSentinels(t testing.TB) *Sentinels {
	t.Helper()
	return (&Sentinels{t: t}).start(Start)
}

// StartSentinelRoles is StartSentinels for servers with the users of
// deploy/redis/users.acl: replicas and sentinels have theirs, Client is one who
// may do everything.
func StartSentinelRoles(t testing.TB) *Sentinels {
	t.Helper()
	return (&Sentinels{t: t, user: tester}).start(StartRoles, "--masteruser", "replica", "--masterauth", "replica")
}

func (s *Sentinels) start(one func(testing.TB, ...string) *Server, args ...string) *Sentinels {
	t := s.t
	t.Helper()
	s.Servers = append(s.Servers, one(t, args...))
	args = append(args, "--replicaof", "127.0.0.1", fmt.Sprint(s.Servers[0].Port), "--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1")
	for range 2 {
		s.Servers = append(s.Servers, one(t, args...))
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for range 3 {
		s.sentinels = append(s.sentinels, s.startOne())
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !s.complete(ctx) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("the sentinels do not find each other and the replicas")
		}
	}
	return s
}

// startOne starts one: it keeps its settings in a file of its own.
func (s *Sentinels) startOne() *Server {
	s.t.Helper()
	file := filepath.Join(s.t.TempDir(), "sentinel.conf")
	text := fmt.Sprintf("sentinel monitor main 127.0.0.1 %d 2\nsentinel down-after-milliseconds main %d\nsentinel failover-timeout main 6000\n",
		s.Servers[0].Port, DownAfter.Milliseconds())
	if s.user != "" {
		text += "sentinel auth-user main sentinel\nsentinel auth-pass main sentinel\n"
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	v := &Server{Dir: s.t.TempDir(), file: file}
	v.start(s.t)
	return v
}

// complete says whether every sentinel knows the others and both replicas, and
// these follow.
func (s *Sentinels) complete(ctx context.Context) bool {
	for _, v := range s.sentinels {
		c := redis.NewSentinelClient(&redis.Options{Addr: v.Addr(), MaxRetries: -1, DisableIdentity: true})
		m, err := c.Master(ctx, "main").Result()
		_ = c.Close()
		if err != nil || m["num-slaves"] != "2" || m["num-other-sentinels"] != "2" || m["flags"] != "master" {
			return false
		}
	}
	for _, r := range s.Servers[1:] {
		c := redis.NewClient(&redis.Options{Addr: r.Addr(), MaxRetries: -1, DisableIdentity: true, Username: s.user, Password: s.user})
		info, err := c.Info(ctx, "replication").Result()
		_ = c.Close()
		if err != nil || !strings.Contains(info, "master_link_status:up") {
			return false
		}
	}
	return true
}

// URL is the address as -redis takes it.
func (s *Sentinels) URL() string {
	addrs := make([]string, len(s.sentinels))
	for i, v := range s.sentinels {
		addrs[i] = v.Addr()
	}
	return "redis+sentinel://" + strings.Join(addrs, ",") + "/main"
}

// Client connects to the primary of the moment; it is closed with the test.
func (s *Sentinels) Client() *redis.Client {
	addrs := make([]string, len(s.sentinels))
	for i, v := range s.sentinels {
		addrs[i] = v.Addr()
	}
	c := redis.NewFailoverClient(&redis.FailoverOptions{MasterName: "main", SentinelAddrs: addrs, DisableIdentity: true, Username: s.user, Password: s.user})
	s.t.Cleanup(func() { _ = c.Close() })
	return c
}

// Primary gives the server that the sentinels name now, nil for none.
func (s *Sentinels) Primary() *Server {
	for _, v := range s.sentinels {
		c := redis.NewSentinelClient(&redis.Options{Addr: v.Addr(), MaxRetries: -1, DisableIdentity: true})
		addr, err := c.GetMasterAddrByName(s.t.Context(), "main").Result()
		_ = c.Close()
		for _, r := range s.Servers {
			if err == nil && len(addr) == 2 && addr[1] == fmt.Sprint(r.Port) {
				return r
			}
		}
	}
	return nil
}

// Failovers counts how often a replica became the primary: where machines stand
// still for a while sentinels may replace one that lives.
func (s *Sentinels) Failovers() (n int) {
	s.t.Helper()
	for _, v := range s.Servers {
		text, err := os.ReadFile(filepath.Join(v.Dir, "redis.log"))
		if err != nil {
			s.t.Fatal(err)
		}
		n += strings.Count(string(text), "MASTER MODE enabled")
	}
	return n
}
