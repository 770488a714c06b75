package cli

import (
	"bufio"
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// info reads INFO of the server as name -> value.
func (c *connection) info(ctx context.Context) (map[string]string, error) {
	out := make(map[string]string)
	for _, section := range []string{"server", "memory", "persistence", "cpu"} {
		text, err := c.Client().Info(ctx, section).Result()
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

// transport looks at how the way to Redis is guarded.
func (d *doctor) transport() {
	scheme, rest, _ := strings.Cut(d.app.opt.redis, "://")
	host := rest[strings.LastIndex(rest, "@")+1:]
	local := scheme == "unix" || strings.HasPrefix(host, "127.") || strings.HasPrefix(host, "localhost") || strings.HasPrefix(host, "[::1]")
	switch {
	case local:
		d.ok("transport", "Redis is on this host")
	case strings.HasPrefix(scheme, "rediss") || d.app.opt.ca != "" || d.app.opt.cert != "":
		d.ok("transport", "TLS")
	default:
		d.warn("transport", "use rediss:// where the network is not yours alone: who can write to Redis chooses what workers run",
			"passwords and checks go to Redis in clear text")
	}
}

// server looks at version, eviction, memory, persistence and scripts.
func (d *doctor) server(ctx context.Context) {
	info, err := d.conn.info(ctx)
	if err != nil {
		d.warn("redis", "let this user run INFO", "answers, but tells nothing of itself: %s", errText(err))
	}
	d.version(info["redis_version"], info["valkey_version"])
	switch policy := info["maxmemory_policy"]; policy {
	case "":
		d.warn("eviction", "make sure that maxmemory-policy is noeviction", "the server does not tell its maxmemory-policy")
	case "noeviction":
		d.ok("eviction", "maxmemory-policy noeviction")
	default:
		d.bad("eviction", "CONFIG SET maxmemory-policy noeviction, and in redis.conf", "maxmemory-policy %s: Redis may throw checks away", policy)
	}
	used, _ := strconv.ParseFloat(info["used_memory"], 64)
	limit, _ := strconv.ParseFloat(info["maxmemory"], 64)
	switch {
	case limit > 0 && used > 0.8*limit:
		d.warn("memory", "raise maxmemory before it is full: then new checks and results are refused", "%.0f%% of maxmemory is used", 100*used/limit)
	case limit > 0:
		d.ok("memory", "%.0f%% of maxmemory is used", 100*used/limit)
	case used > 0:
		d.ok("memory", "%.0f MiB used, no maxmemory", used/(1<<20))
	}
	switch info["aof_enabled"] {
	case "1":
		d.ok("persistence", "append-only file is on")
	case "0":
		d.warn("persistence", "CONFIG SET appendonly yes, and in redis.conf; keep 'redpoll export' elsewhere in any case",
			"append-only file is off: a restart of Redis loses the checks since the last snapshot")
	}
	if err := d.conn.Client().Eval(ctx, "return 1", nil).Err(); err != nil {
		d.bad("scripts", "let this user run EVAL and EVALSHA", "%s", errText(err))
	}
	schema, err := d.conn.Client().HGet(ctx, d.conn.KeyMeta(), "schema").Int()
	if err == nil && schema > redisqueue.Schema {
		d.bad("schema", "upgrade this redpoll", "the keys are of schema %d, this redpoll knows %d", schema, redisqueue.Schema)
	}
}

// fixedVersions are, for each series, the first version without the holes in
// Lua of October 2025 (CVE-2025-49844, 46817, 46818, 46819).
var fixedVersions = []string{"6.2.20", "7.2.11", "7.4.6", "8.0.4", "8.2.2"}

const fixedValkey = "8.1.4"

func (d *doctor) version(redis, valkey string) {
	name, version := "Redis", redis
	if valkey != "" {
		name, version = "Valkey", valkey
	}
	switch {
	case version == "":
		d.warn("version", "make sure that it is 6.2 or newer", "the server does not tell its version")
	case compareVersions(version, "6.2") < 0:
		d.bad("version", "upgrade Redis to 6.2.20 or newer", "%s %s is too old: redpoll needs 6.2", name, version)
	case !luaFixed(version, valkey != ""):
		d.warn("version", "upgrade to "+strings.Join(fixedVersions, ", ")+", Valkey "+fixedValkey+" or newer (distributions may have patched theirs)",
			"%s %s has known holes in its scripting (CVE-2025-49844 and others): roles of ACL users can be overcome", name, version)
	default:
		d.ok("version", "%s %s", name, version)
	}
}

// luaFixed says whether a version is not older than the fix of its series. A
// series without one, between those that have it, was never fixed.
func luaFixed(version string, valkey bool) bool {
	if valkey {
		return compareVersions(version, fixedValkey) >= 0
	}
	series := func(v string) string {
		parts := strings.SplitN(v, ".", 3)
		return strings.Join(parts[:min(len(parts), 2)], ".")
	}
	for _, fixed := range fixedVersions {
		if series(fixed) == series(version) {
			return compareVersions(version, fixed) >= 0
		}
	}
	return compareVersions(version, fixedVersions[len(fixedVersions)-1]) > 0
}

// compareVersions compares dotted numbers; what is missing counts as 0.
func compareVersions(a, b string) int {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range max(len(as), len(bs)) {
		var x, y int
		if i < len(as) {
			x, _ = strconv.Atoi(as[i])
		}
		if i < len(bs) {
			y, _ = strconv.Atoi(bs[i])
		}
		if x != y {
			return x - y
		}
	}
	return 0
}

// clock compares the server's clock with ours. Redis' clock alone decides, so
// a difference harms nothing but the reading of logs.
func (d *doctor) clock(ctx context.Context) {
	before := time.Now()
	ms, err := d.conn.Now(ctx)
	if err != nil {
		d.bad("clock", "let this user run TIME", "%s", errText(err))
		return
	}
	took := time.Since(before)
	diff := time.UnixMilli(ms).Sub(before.Add(took / 2)).Round(time.Millisecond)
	if diff.Abs() > time.Second+took {
		d.warn("clock", "run NTP on both hosts; redpoll goes by Redis' clock alone, certificates and logs do not", "this host and Redis differ by %s", diff)
		return
	}
	d.ok("clock", "this host and Redis agree within %s, one question takes %s", max(diff.Abs(), time.Millisecond), took.Round(10*time.Microsecond))
}
