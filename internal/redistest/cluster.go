package redistest

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/internal/porttest"
)

// NodeTimeout is after how long a cluster takes a server for dead: longer than
// busy machines let one wait.
const NodeTimeout = 3 * time.Second

// Cluster is a Redis Cluster of one test.
type Cluster struct {
	t       testing.TB
	Servers []*Server // primaries at first, then their replicas
}

// ClusterMode gives the arguments of a server that may be a node of a cluster;
// bus is a port of porttest for what nodes tell each other.
func ClusterMode(bus int) []string {
	return []string{"--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(bus)}
}

// StartCluster starts a Redis Cluster of so many primaries, each with one
// replica, made by redis-cli as people do.
func StartCluster(t testing.TB, primaries int) *Cluster {
	t.Helper()
	need(t)
	if _, err := exec.LookPath("redis-cli"); err != nil {
		t.Fatal("redis-server is installed and redis-cli is not; apt-get install redis-tools")
	}
	c := &Cluster{t: t}
	args := []string{"--cluster", "create"}
	for range 2 * primaries {
		bus := porttest.Free(t)
		s := Start(t, append(ClusterMode(bus), "--cluster-node-timeout", strconv.Itoa(int(NodeTimeout.Milliseconds())),
			"--cluster-require-full-coverage", "no", "--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1")...)
		c.Servers = append(c.Servers, s)
		args = append(args, fmt.Sprintf("%s@%d", s.Addr(), bus))
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	args = append(args, "--cluster-replicas", "1", "--cluster-yes")
	if out, err := exec.CommandContext(ctx, "redis-cli", args...).CombinedOutput(); err != nil {
		t.Fatalf("redis-cli %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	c.awaitReplicas(ctx, primaries)
	return c
}

// awaitReplicas waits until every server knows the whole cluster and every
// replica follows its primary.
func (c *Cluster) awaitReplicas(ctx context.Context, primaries int) {
	c.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		following, ok := 0, 0
		for _, s := range c.Servers {
			if strings.Contains(c.ask(ctx, s, "INFO", "replication"), "master_link_status:up") {
				following++
			}
			if strings.Contains(c.ask(ctx, s, "CLUSTER", "INFO"), "cluster_state:ok") {
				ok++
			}
		}
		if following == primaries && ok == len(c.Servers) {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			c.t.Fatalf("%d of %d replicas follow their primaries", following, primaries)
		}
	}
}

// ask sends a command to one server and gives its answer, empty when it has
// none.
func (c *Cluster) ask(ctx context.Context, s *Server, words ...any) string {
	client := redis.NewClient(&redis.Options{Addr: s.Addr(), MaxRetries: -1, DisableIdentity: true})
	defer client.Close()
	text, _ := client.Do(ctx, words...).Text()
	return text
}

// URL is the address as -redis takes it.
func (c *Cluster) URL() string {
	addrs := make([]string, len(c.Servers))
	for i, s := range c.Servers {
		addrs[i] = s.Addr()
	}
	return "redis+cluster://" + strings.Join(addrs, ",")
}

// Client connects to the cluster; it is closed with the test.
func (c *Cluster) Client() *redis.ClusterClient {
	addrs := make([]string, len(c.Servers))
	for i, s := range c.Servers {
		addrs[i] = s.Addr()
	}
	client := redis.NewClusterClient(&redis.ClusterOptions{
		Addrs: addrs, DisableIdentity: true, DialerRetries: 1, ClusterStateReloadInterval: 500 * time.Millisecond,
	})
	c.t.Cleanup(func() { _ = client.Close() })
	return client
}

// Primary gives the server that has a key now: the one that answers for it. While
// there is none, a replica is taking over.
func (c *Cluster) Primary(key string) *Server {
	c.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	late := time.After(30 * time.Second)
	for {
		for _, s := range c.Servers {
			if c.ask(c.t.Context(), s, "TYPE", key) != "" { // any other says where to go
				return s
			}
		}
		select {
		case <-tick.C:
		case <-late:
			c.t.Fatalf("no server of the cluster has %s", key)
		}
	}
}

// MoveSlot brings the slot of a key to another primary, which it gives, as a
// reshard does, while it is used.
func (c *Cluster) MoveSlot(key string) (to *Server) {
	c.t.Helper()
	from := c.Primary(key)
	for _, s := range c.Servers {
		if s != from && strings.Contains(c.ask(c.t.Context(), s, "INFO", "replication"), "role:master") {
			to = s
		}
	}
	if to == nil {
		c.t.Fatal("the cluster has one primary")
	}
	slot, err := strconv.Atoi(c.mustCLI(from, "CLUSTER", "KEYSLOT", key))
	if err != nil {
		c.t.Fatal(err)
	}
	source, target := c.mustCLI(from, "CLUSTER", "MYID"), c.mustCLI(to, "CLUSTER", "MYID")
	c.mustCLI(to, "CLUSTER", "SETSLOT", strconv.Itoa(slot), "IMPORTING", source)
	c.mustCLI(from, "CLUSTER", "SETSLOT", strconv.Itoa(slot), "MIGRATING", target)
	for {
		keys := strings.Fields(c.mustCLI(from, "CLUSTER", "GETKEYSINSLOT", strconv.Itoa(slot), "10"))
		if len(keys) == 0 {
			break
		}
		c.mustCLI(from, append([]string{"MIGRATE", "127.0.0.1", strconv.Itoa(to.Port), "", "0", "5000", "KEYS"}, keys...)...)
	}
	for _, s := range []*Server{to, from} {
		c.mustCLI(s, "CLUSTER", "SETSLOT", strconv.Itoa(slot), "NODE", target)
	}
	return to
}

// mustCLI sends a command to one server by redis-cli and gives its answer.
func (c *Cluster) mustCLI(s *Server, words ...string) string {
	c.t.Helper()
	args := append([]string{"-e", "-p", strconv.Itoa(s.Port)}, words...)
	out, err := exec.CommandContext(c.t.Context(), "redis-cli", args...).CombinedOutput()
	if err != nil {
		c.t.Fatalf("redis-cli %s: %v\n%s", strings.Join(words, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// FailOver kills primaries at the same instant and has their replicas take over.
// More than half of them may die: nobody votes.
func (c *Cluster) FailOver(primaries ...*Server) {
	c.t.Helper()
	var replicas []*Server
	for _, p := range primaries {
		for _, s := range c.Servers {
			if strings.Contains(c.ask(c.t.Context(), s, "INFO", "replication"), fmt.Sprintf("master_port:%d\r", p.Port)) {
				replicas = append(replicas, s)
			}
		}
	}
	if len(replicas) != len(primaries) {
		c.t.Fatalf("%d primaries have %d replicas", len(primaries), len(replicas))
	}
	for _, p := range primaries {
		p.Kill()
	}
	for _, s := range replicas {
		c.mustCLI(s, "CLUSTER", "FAILOVER", "TAKEOVER")
	}
}
