package redisqueue

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/internal/porttest"
	"github.com/redpoll/redpoll/internal/redistest"
	"github.com/redpoll/redpoll/pkg/check"
)

// dryRun asks the server whether a user may run a command, empty when he may.
func dryRun(t *testing.T, c *redis.Client, user string, words ...string) string {
	t.Helper()
	args := []any{"ACL", "DRYRUN", user}
	for _, w := range words {
		args = append(args, w)
	}
	reply, err := c.Do(t.Context(), args...).Text()
	if err != nil {
		t.Errorf("ACL DRYRUN %s %q: %v", user, words, err)
	}
	if reply == "OK" {
		return ""
	}
	return reply
}

// TestRolesMayRunTheirScripts: every command of every script is allowed to the
// users who run it, on the very keys.
func TestRolesMayRunTheirScripts(t *testing.T) {
	t.Parallel()
	c := redistest.StartRoles(t).Client(t)
	q := New(c, "")
	for _, name := range scriptNames(t) {
		if scriptRoles[name] == "" {
			t.Errorf("lua/%s.lua: scriptRoles in rights.go does not say which users run it", name)
		}
		keys, body := splitScript(name)
		for _, call := range scriptCalls(keys, body) {
			switch _, known := callForms[call.command]; {
			case call.command == "":
				t.Errorf("lua/%s.lua: a call whose command scriptCalls in rights.go cannot read", name)
			case !known:
				t.Errorf("lua/%s.lua: callForms in rights.go has no form of %s: add one", name, call.command)
			case call.key == "" && call.command != "TIME" || call.key != "" && !slices.Contains(keys, call.key):
				t.Errorf("lua/%s.lua: %s of %q: want the name of a key as in the header", name, call.command, call.key)
			}
		}
	}
	for _, role := range Roles() {
		rights := q.Rights(role, lane)
		if len(rights) < 3 {
			t.Errorf("Rights(%s) = %v, want more", role, rights)
		}
		for _, words := range rights {
			if why := dryRun(t, c, role, words...); why != "" {
				t.Errorf("the user %s may not run %q: extend deploy/redis/users.acl: %s", role, words, why)
			}
		}
	}
}

// TestRolesMayDoNoMore: what the roles are there to prevent.
func TestRolesMayDoNoMore(t *testing.T) {
	t.Parallel()
	server := redistest.StartRoles(t)
	c := server.Client(t)
	q := New(c, "")
	specs, ready, runs, last := q.KeySpecs(lane), q.KeyReady(lane), q.KeyRuns(lane), q.KeyLast(lane)
	for _, role := range []string{"default", "scheduler", "worker", "producer", "viewer", "operator", "keda"} {
		for _, line := range []string{
			"KEYS *", "SCAN 0", "FLUSHALL", "FLUSHDB", "CONFIG GET x", "CONFIG SET x y", "DEBUG JMAP", "SCRIPT FLUSH", "SCRIPT KILL", "SHUTDOWN", "ACL LIST", "ACL SETUSER x",
			"SAVE", "MONITOR", "CLIENT KILL x:1", "CLIENT LIST", "REPLICAOF a 1", "MODULE LIST", "FUNCTION LIST", "RENAME a b", "MIGRATE a 1 b 0 1", "RESTORE a 0 x", "SWAPDB 0 1",
			"GET other", "HGETALL other:{default:0}:specs", "EVAL x 1 other", "DEL " + specs, "DEL " + ready, "DEL " + q.KeyZones(), "DEL " + q.KeyIntake(), "PUBLISH a b",
		} {
			wantRefused(t, c, role, line)
		}
	}
	refused := map[string][]string{
		"worker": {
			"HSET " + specs + " a b", "HDEL " + specs + " a", "HSETNX " + specs + " a b", "HSET " + q.KeyZones() + " a b", "HSETNX " + q.KeyZones() + " a b", "HDEL " + q.KeyZones() + " a",
			"HSET " + q.KeyMeta() + " a b", "HSETNX " + q.KeyMeta() + " a b", "XADD " + q.KeyIntake() + " * a b", "XRANGE " + q.KeyIntake() + " - +", "XADD " + q.KeyIntakeLog() + " * a b",
			"XRANGE " + q.KeyIntakeLog() + " - +", "SET " + q.KeyIntakeLock() + " a", "SET " + ready + " a", "EVAL x 1 " + q.KeyZones(), "EVAL x 1 " + q.KeyIntake(), "ZREM " + q.KeyDue(lane) + " a",
			"ZRANGE " + q.KeyDue(lane) + " 0 1", "HSCAN redpoll:other 0", "HSET " + q.KeyDowntimes() + " a b", "HDEL " + q.KeyDowntimes() + " a",
		},
		"producer": {
			"XRANGE " + q.KeyIntake() + " - +", "XREAD STREAMS " + q.KeyIntake() + " 0", "XDEL " + q.KeyIntake() + " 1-1", "XADD " + q.KeyIntakeLog() + " * a b", "HGETALL " + specs, "HGET " + last + " a",
			"XRANGE " + q.KeyResults(lane) + " - +", "HGETALL " + q.KeyWorkers(), "HGETALL " + q.KeyZones(), "EVAL x 0", "INFO",
		},
		"viewer": {
			"XADD " + q.KeyIntake() + " * a b", "HSET " + specs + " a b", "ZADD " + q.KeyDue(lane) + " 0 a", "HSET " + runs + " a b", "XACK " + ready + " workers 1-1", "HDEL " + q.KeyIncidents(lane) + " a",
			"XREADGROUP GROUP workers c STREAMS " + ready + " >", "XGROUP CREATE " + ready + " g 0", "EVAL x 1 " + q.KeyIntake(),
		},
		"keda":      {"HGETALL " + specs, "XRANGE " + ready + " - +", "XLEN " + q.KeyResults(lane), "XADD " + ready + " * a b", "EVAL x 0"},
		"operator":  {"XREADGROUP GROUP workers c STREAMS " + ready + " >", "SET " + q.KeyIntakeLock() + " a"},
		"scheduler": {"SET " + specs + " a", "PEXPIRE " + specs + " 1"},
	}
	for role, lines := range refused {
		for _, line := range lines {
			wantRefused(t, c, role, line)
		}
	}
}

func wantRefused(t *testing.T, c *redis.Client, role, line string) {
	t.Helper()
	if dryRun(t, c, role, strings.Fields(line)...) == "" {
		t.Errorf("deploy/redis/users.acl: %s may run %s, want it refused", role, line)
	}
}

// Inside of scripts the rights are those of the user: a script of a worker's own
// writes no specs, one of a viewer's writes nothing.
func TestRolesHoldInScripts(t *testing.T) {
	t.Parallel()
	server := redistest.StartRoles(t)
	q := New(server.Client(t), "")
	for role, words := range map[string][]string{
		"worker": {q.KeySpecs(lane), "HSET"},
		"viewer": {q.KeyRuns(lane), "HSET"},
	} {
		c := server.As(t, role)
		text := "return redis.call('" + words[1] + "', KEYS[1], 'a', 'b')"
		if err := c.Eval(t.Context(), text, words[:1]).Err(); err == nil {
			t.Errorf("%s wrote %s by a script", role, words[0])
		}
		if err := c.Eval(t.Context(), "return redis.call('HGET', KEYS[1], 'a')", words[:1]).Err(); err != nil && !errors.Is(err, redis.Nil) {
			t.Errorf("%s may not read %s in a script: %v", role, words[0], err)
		}
	}
}

// A user for the workers of one site alone, as docs/security.md makes it.
func TestRoleOfOneZone(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../deploy/redis/users.acl")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^user worker reset on #\S+ (.*)$`).FindSubmatch(text)
	if line == nil {
		t.Fatal("users.acl has no line of worker")
	}
	c := redistest.Start(t).Client(t)
	q := New(c, "")
	args := []any{"ACL", "SETUSER", "fra", "on", ">x"}
	rules := strings.ReplaceAll(string(line[1]), "{*}", "{fra:*}")
	for _, rule := range regexp.MustCompile(`\([^)]*\)|\S+`).FindAllString(rules, -1) {
		args = append(args, rule)
	}
	if err := c.Do(t.Context(), args...).Err(); err != nil {
		t.Fatal(err)
	}
	for _, words := range q.Rights("worker", check.Lane{Zone: "fra", Part: 3}) {
		if why := dryRun(t, c, "fra", words...); why != "" {
			t.Errorf("the worker of the zone fra may not run %q: %s", words, why)
		}
	}
	for _, words := range q.Rights("worker", check.Lane{Zone: "ber"}) {
		own := !strings.Contains(strings.Join(words, " "), "{ber:0}")
		if why := dryRun(t, c, "fra", words...); (why == "") != own {
			t.Errorf("the worker of the zone fra runs %q: %q, want it allowed: %v", words, why, own)
		}
	}
}

// On a cluster the client asks for its shape first.
func TestRolesOnACluster(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server := redistest.StartRoles(t, redistest.ClusterMode(porttest.Free(t))...)
	admin := server.Client(t)
	if err := admin.ClusterAddSlotsRange(ctx, 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return strings.Contains(admin.ClusterInfo(ctx).Val(), "cluster_state:ok") })
	for role, use := range map[string]func(q *Queue) error{
		"scheduler": func(q *Queue) error { return q.Prepare(ctx, lane) },
		"worker": func(q *Queue) error {
			_, err := q.Read(ctx, "w", []check.Lane{lane}, 1, 0)
			return err
		},
		"viewer": func(q *Queue) error {
			_, err := q.Stats(ctx, lane)
			return err
		},
		"producer": func(q *Queue) error {
			_, err := q.Request(ctx, []string{"id", "a"})
			return err
		},
	} {
		client, err := Open("redis+cluster://"+role+":"+role+"@"+server.Addr(), Security{})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		if err := use(New(client, "")); err != nil {
			t.Errorf("%s on a cluster: %v", role, err)
		}
	}
	wantNoRefusals(t, admin)
}

// What the KEDA scaler of Redis streams asks.
func TestRoleOfKEDA(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server := redistest.StartRoles(t)
	admin := server.Client(t)
	q := New(admin, "")
	if err := q.Prepare(ctx, lane); err != nil {
		t.Fatal(err)
	}
	c := server.As(t, "keda")
	for _, cmd := range []redis.Cmder{
		c.Ping(ctx), c.Info(ctx), c.XLen(ctx, q.KeyReady(lane)), c.XPending(ctx, q.KeyReady(lane), GroupWorkers), c.XInfoGroups(ctx, q.KeyReady(lane)),
	} {
		if cmd.Err() != nil {
			t.Errorf("%s: %v", cmd.Name(), cmd.Err())
		}
	}
	wantNoRefusals(t, admin)
}

func wantNoRefusals(t *testing.T, admin *redis.Client) {
	t.Helper()
	entries, err := admin.ACLLog(t.Context(), 100).Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Errorf("%s was refused %s (%s)", e.Username, e.Object, e.Reason)
	}
}

// The list of users is of no use before it has passwords, and passwords.sh gives
// it some.
func TestRolesGetPasswords(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "made")
	const folder = "../../../deploy/redis/"
	if out, err := exec.Command(folder+"passwords.sh", dir).CombinedOutput(); err != nil {
		t.Fatalf("passwords.sh: %v %s", err, out)
	}
	if out, err := exec.CommandContext(t.Context(), "redis-server", "--port", "0", "--aclfile", folder+"users.acl").CombinedOutput(); err == nil {
		t.Errorf("Redis takes users.acl with places for passwords for one with passwords:\n%s", out)
	}
	made, err := os.ReadFile(filepath.Join(dir, "users.acl"))
	if err != nil {
		t.Fatal(err)
	}
	server := redistest.StartUsers(t, made)
	for _, m := range regexp.MustCompile(`(?m)^user (\w+) reset on`).FindAllStringSubmatch(string(made), -1) {
		if err := ping(t, server.URL()+answers, Security{Username: m[1], PasswordFile: filepath.Join(dir, m[1]+".password")}); err != nil {
			t.Errorf("%s with the password that was made: %v", m[1], err)
		}
	}
	if out, err := exec.Command(folder+"passwords.sh", dir).CombinedOutput(); err == nil {
		t.Errorf("passwords.sh makes new passwords over those that are in use: %s", out)
	}
}
