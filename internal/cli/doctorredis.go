package cli

import (
	"bufio"
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// info reads INFO of the server as name -> value.
func (c *connection) info(ctx context.Context) (map[string]string, error) {
	return readInfo(ctx, c.Client())
}

func readInfo(ctx context.Context, c redis.Cmdable) (map[string]string, error) {
	out := make(map[string]string)
	for _, section := range []string{"server", "clients", "memory", "persistence", "stats", "replication", "cpu"} {
		text, err := c.Info(ctx, section).Result()
		if err != nil {
			if strings.Contains(err.Error(), "not supported") {
				continue // the embedded Redis knows few sections
			}
			return out, err
		}
		for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
			if name, value, ok := strings.Cut(lines.Text(), ":"); ok {
				out[name] = value
			}
		}
	}
	return out, nil
}

// node is a server that holds keys.
type node struct {
	c    redis.Cmdable
	of   string // behind what is looked at, where there are many
	info map[string]string
}

// nodes gives the server, or all masters of a cluster.
func (d *doctor) nodes(ctx context.Context) []*node {
	cluster, ok := d.conn.Client().(*redis.ClusterClient)
	if !ok {
		return []*node{{c: d.conn.Client()}}
	}
	var mu sync.Mutex
	var all []*node
	err := cluster.ForEachMaster(ctx, func(_ context.Context, c *redis.Client) error {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, &node{c: c, of: " " + c.Options().Addr})
		return nil
	})
	if err != nil {
		d.unlooked("cluster", err)
		return all
	}
	d.coverage(ctx, cluster, len(all))
	return all
}

// coverage looks whether every slot of a cluster is served, and twice.
func (d *doctor) coverage(ctx context.Context, c *redis.ClusterClient, masters int) {
	slots, err := c.ClusterSlots(ctx).Result() //nolint:staticcheck // CLUSTER SHARDS came with Redis 7.0, and 6.2 is supported
	if err != nil {
		d.unlooked("cluster", err)
		return
	}
	served, alone := 0, 0
	for _, s := range slots {
		served += s.End - s.Start + 1
		if len(s.Nodes) < 2 {
			alone++
		}
	}
	switch {
	case served < 16384:
		d.bad("cluster", advice{"the lanes in the others stand still", "redis-cli --cluster check and fix"}, "%d of 16384 slots are served", served)
	case alone > 0:
		d.warn("cluster", advice{"when a master without one dies its lanes stand still, and its checks may be gone", "give each master a replica"},
			"%s with all slots, %s of slots without a replica", count(masters, "master"), count(alone, "range"))
	default:
		d.ok("cluster", "%s with all slots, each with a replica", count(masters, "master"))
	}
}

// look looks at one server.
func (n *node) look(ctx context.Context, d *doctor) {
	info, err := readInfo(ctx, n.c)
	if err != nil {
		d.unlooked("redis"+n.of, err)
		return
	}
	n.info = info
	d.version(n.of, info["redis_version"], info["valkey_version"])
	n.eviction(d)
	n.memory(d)
	n.persistence(d)
	n.replication(d)
	n.clients(d)
	n.settings(ctx, d)
}

func (n *node) number(name string) float64 {
	f, _ := strconv.ParseFloat(n.info[name], 64)
	return f
}

func (n *node) eviction(d *doctor) {
	what := "eviction" + n.of
	fix := "CONFIG SET maxmemory-policy noeviction, and in redis.conf"
	switch policy := n.info["maxmemory_policy"]; policy {
	case "":
		d.skip(what, "make sure that maxmemory-policy is noeviction", "the server does not tell its maxmemory-policy")
	case "noeviction":
		d.ok(what, "maxmemory-policy noeviction")
	default:
		d.bad(what, advice{"when memory is full Redis throws keys away, and all checks of a lane with them", fix}, "maxmemory-policy %s: Redis may throw checks away", policy)
	}
	if gone := n.number("evicted_keys"); gone > 0 {
		d.warn(what, advice{"some may have been redpoll's", fix + "; 'redpoll verify', and 'redpoll apply' from your files"}, "%.0f keys were evicted since Redis started", gone)
	}
}

func (n *node) memory(d *doctor) {
	what := "memory" + n.of
	used, limit, host := n.number("used_memory"), n.number("maxmemory"), n.number("total_system_memory")
	const mib = 1 << 20
	switch {
	case limit > 0 && used > 0.8*limit:
		d.warn(what, advice{"when it is full new checks and results are refused", "raise maxmemory; 'redpoll get' shows what could go"}, "%.0f%% of maxmemory is used", 100*used/limit)
	case limit > 0:
		d.ok(what, "%.0f%% of maxmemory is used", 100*used/limit)
	case used > 0 && host > 0 && used > host/2:
		d.warn(what, advice{"the kernel may kill Redis; a snapshot needs as much again while much is written", "set maxmemory well below the host's memory, or add memory"},
			"%.0f MiB used, no maxmemory, and the host has %.0f MiB", used/mib, host/mib)
	case used > 0:
		d.ok(what, "%.0f MiB used, no maxmemory", used/mib)
	}
}

func (n *node) persistence(d *doctor) {
	what := "persistence" + n.of
	keep := "keep 'redpoll export' elsewhere in any case"
	switch n.info["aof_enabled"] {
	case "1":
		if n.info["aof_last_write_status"] == "err" {
			d.bad(what, advice{"Redis refuses writes, or loses them with its next end", "look at the disk and the log of Redis"}, "the append-only file cannot be written")
			return
		}
		d.ok(what, "append-only file is on")
		if n.info["aof_last_bgrewrite_status"] == "err" {
			d.warn(what, advice{"it grows until the disk is full", "look at the disk and the log of Redis"}, "the append-only file could not be rewritten")
		}
	case "0":
		up := time.Duration(n.number("uptime_in_seconds")) * time.Second
		saved := time.Since(time.Unix(int64(n.number("rdb_last_save_time")), 0))
		last := "the last was taken " + ago(saved)
		if saved > up-2*time.Second { // Redis counts from its start
			last = "none was taken since Redis started " + ago(up)
		}
		d.warn(what, advice{"a restart of Redis loses the checks and incidents since the last snapshot", "CONFIG SET appendonly yes, and in redis.conf with appendfsync everysec; " + keep},
			"append-only file is off, snapshots alone: %s", last)
	}
	if n.info["rdb_last_bgsave_status"] == "err" {
		d.bad(what, advice{"by default Redis refuses all writes then (MISCONF)", "look at the disk, the memory and the log of Redis"}, "the last snapshot failed")
	}
}

func (n *node) replication(d *doctor) {
	what := "replicas" + n.of
	replicas := n.number("connected_slaves")
	_, demanded := n.info["min_slaves_good_slaves"]
	switch {
	case n.info["role"] == "slave":
		d.bad(what, advice{"it takes no writes", "connect to the master: by redis+sentinel:// for one that may change"}, "this server is a replica of %s", n.info["master_host"])
	case replicas > 0 && !demanded:
		d.warn(what, advice{"a master that lost its replicas goes on and acknowledges what the next one will not have", "CONFIG SET min-replicas-to-write 1, min-replicas-max-lag 10, and in redis.conf"},
			"%s, and the master does not ask for any", count(int(replicas), "replica"))
	case replicas > 0:
		d.ok(what, "%s, %s of them near enough", count(int(replicas), "replica"), n.info["min_slaves_good_slaves"])
	}
}

func (n *node) clients(d *doctor) {
	have, most := n.number("connected_clients"), n.number("maxclients")
	if most > 0 && have > 0.8*most {
		d.warn("clients"+n.of, advice{"Redis refuses connections beyond that", "raise maxclients and the limit of open files of Redis"}, "%.0f of %.0f connections are open", have, most)
	}
}

// settings looks at what only CONFIG tells.
func (n *node) settings(ctx context.Context, d *doctor) {
	if !d.mayAll() || n.info["aof_enabled"] != "1" {
		return
	}
	have, err := n.c.ConfigGet(ctx, "appendfsync").Result()
	if err != nil {
		d.unlooked("persistence"+n.of, err)
		return
	}
	if have["appendfsync"] == "no" {
		d.warn("persistence"+n.of, advice{"a crash of the host loses up to 30 s of writes", "CONFIG SET appendfsync everysec, and in redis.conf"}, "appendfsync no")
	}
}

// sentinels looks whether the Sentinels can replace the master.
func (d *doctor) sentinels(ctx context.Context) {
	clients, master, err := d.sentinelClients()
	if err != nil {
		d.bad("sentinel", advice{}, "%s", errText(err))
		return
	}
	for addr, c := range clients {
		d.sentinel(ctx, addr, c, master)
		_ = c.Close() // it was only asked
	}
}

// shortDown is the pause between two pings of a Sentinel: with no more time than
// that it may take a master for dead that is new, before its first answer.
const shortDown = time.Second

func (d *doctor) sentinel(ctx context.Context, addr string, c *redis.SentinelClient, master string) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	text, err := c.CkQuorum(ctx, master).Result()
	if err != nil {
		d.bad("sentinel", advice{"a master that dies is not replaced", "look at this Sentinel: SENTINEL CKQUORUM " + master}, "%s: %s", addr, errText(err))
		return
	}
	d.ok("sentinel", "%s: %s", addr, strings.TrimPrefix(text, "OK "))
	set, err := c.Master(ctx, master).Result()
	if err != nil {
		d.unlooked("sentinel", fmt.Errorf("%s: %w", addr, err))
		return
	}
	if ms, err := strconv.Atoi(set["down-after-milliseconds"]); err == nil && time.Duration(ms)*time.Millisecond <= shortDown {
		d.warn("sentinel", advice{"Sentinels ping once a second: they may replace a master that they have just made, and what it took is lost",
			"SENTINEL SET " + master + " down-after-milliseconds 5000, on each Sentinel"}, "%s takes a master for dead after %d ms", addr, ms)
	}
}

// many shortens a list of names.
func many(names []string) string {
	if len(names) <= 3 {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:3], ", "), len(names)-3)
}
