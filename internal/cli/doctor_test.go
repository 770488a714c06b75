package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/internal/porttest"
	"github.com/redpoll/redpoll/internal/redistest"
	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// examine runs doctor and gives what it found, by what it looked at.
func examine(t *testing.T, args ...string) (found map[string][]finding, code int) {
	t.Helper()
	var out, errs strings.Builder
	s := Streams{Getenv: func(string) string { return "" }, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs}
	code = Main(t.Context(), append([]string{"doctor", "-o", "json"}, args...), s)
	var list []finding
	if err := json.Unmarshal([]byte(out.String()), &list); err != nil {
		t.Fatalf("doctor %q: %v\n%s%s", args, err, out.String(), errs.String())
	}
	found = map[string][]finding{}
	for _, f := range list {
		found[f.What] = append(found[f.What], f)
		if (f.How == howWarn || f.How == howBad) && f.Fix == "" && f.Why == "" {
			t.Errorf("%s %s %q says neither why nor what to do", f.What, f.How, f.Text)
		}
	}
	return found, code
}

// wantFinding demands one that is so and says this.
func wantFinding(t *testing.T, found map[string][]finding, what, how, text string) {
	t.Helper()
	for _, f := range found[what] {
		if f.How == how && strings.Contains(f.Text+"\n"+f.Why+"\n"+f.Fix, text) {
			return
		}
	}
	t.Errorf("%s: no finding %s with %q in %+v", what, how, text, found[what])
}

// TestDoctorNode: what INFO says and what doctor makes of it.
func TestDoctorNode(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ info, what, how, text string }{
		{"maxmemory_policy:noeviction", "eviction", howOK, ""},
		{"maxmemory_policy:allkeys-lru", "eviction", howBad, "CONFIG SET maxmemory-policy noeviction"},
		{"", "eviction", howSkip, "make sure"},
		{"maxmemory_policy:noeviction evicted_keys:7", "eviction", howWarn, "7 keys were evicted"},
		{"used_memory:900 maxmemory:1000", "memory", howWarn, "90%"},
		{"used_memory:100 maxmemory:1000", "memory", howOK, "10%"},
		{"used_memory:600000000 maxmemory:0 total_system_memory:1000000000", "memory", howWarn, "no maxmemory"},
		{"used_memory:100000000 maxmemory:0 total_system_memory:1000000000", "memory", howOK, "95 MiB"},
		{"aof_enabled:1 aof_last_write_status:ok", "persistence", howOK, ""},
		{"aof_enabled:1 aof_last_write_status:err", "persistence", howBad, "cannot be written"},
		{"aof_enabled:1 aof_last_bgrewrite_status:err", "persistence", howWarn, "rewritten"},
		{"aof_enabled:0 rdb_last_bgsave_status:ok", "persistence", howWarn, "appendfsync everysec"},
		{"aof_enabled:0 rdb_last_bgsave_status:err", "persistence", howBad, "MISCONF"},
		{fmt.Sprintf("aof_enabled:0 uptime_in_seconds:90000 rdb_last_save_time:%d", time.Now().Unix()-3600), "persistence", howWarn, "1h ago"},
		{"role:slave master_host:h", "replicas", howBad, "replica of h"},
		{"role:master connected_slaves:2", "replicas", howWarn, "min-replicas-to-write"},
		{"role:master connected_slaves:2 min_slaves_good_slaves:1", "replicas", howOK, "2 replicas, 1"},
		{"connected_clients:9000 maxclients:10000", "clients", howWarn, "maxclients"},
	} {
		n := &node{info: map[string]string{}}
		for _, pair := range strings.Fields(tt.info) {
			name, value, _ := strings.Cut(pair, ":")
			n.info[name] = value
		}
		d := &doctor{}
		for _, look := range []func(*doctor){n.eviction, n.memory, n.persistence, n.replication, n.clients} {
			look(d)
		}
		found := map[string][]finding{}
		for _, f := range d.list {
			found[f.What] = append(found[f.What], f)
		}
		wantFinding(t, found, tt.what, tt.how, tt.text)
	}
}

// TestDoctorRoles: a viewer's rights will do, and what they do not reach is
// said; an administrator learns what the roles lack.
func TestDoctorRoles(t *testing.T) {
	t.Parallel()
	server := redistest.StartRoles(t)
	admin := server.Client(t)
	found, _ := examine(t, "--redis", server.URLAs("viewer"))
	for what, list := range found {
		for _, f := range list {
			if f.How == howSkip && what != "users" {
				t.Errorf("a viewer may not look at %s: %s", what, f.Text)
			}
		}
	}
	wantFinding(t, found, "user", howOK, "viewer")
	wantFinding(t, found, "users", howSkip, "--all")
	found, _ = examine(t, "--redis", server.URLAs("operator"), "--all")
	wantFinding(t, found, "users", howSkip, "+acl|list; the user admin of deploy/redis/users.acl may")

	found, _ = examine(t, "--redis", server.URLAs("keda"))
	wantFinding(t, found, "clock", howSkip, "+time")
	found, _ = examine(t, "--redis", server.URLAs("producer"))
	wantFinding(t, found, "redis", howSkip, "+info")

	found, _ = examine(t, "--redis", server.URLAs("tester"), "--all")
	for _, role := range redisqueue.Roles() {
		wantFinding(t, found, "users", howOK, "the user "+role+" may")
	}
	wantFinding(t, found, "users", howOK, "of whom admin, tester may do everything")
	for _, rule := range [][]any{{"worker", "-zadd", "-xtrim"}, {"default", "on", "nopass"}} {
		if err := admin.Do(t.Context(), append([]any{"ACL", "SETUSER"}, rule...)...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	found, code := examine(t, "--redis", server.URLAs("tester"), "--all")
	wantFinding(t, found, "users", howBad, "the user worker lacks 3 rights: xtrim redpoll:{default:0}:ready")
	wantFinding(t, found, "users", howWarn, "default is open")
	if code != ExitWrong {
		t.Errorf("code %d, want %d", code, ExitWrong)
	}
}

func TestDoctorClock(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	c := server.Client(t)
	q := redisqueue.New(c, "")
	ctx := t.Context()
	lane := check.Lane{Zone: check.DefaultZone}
	ahead := fmt.Sprintf("%d-0", time.Now().Add(time.Hour).UnixMilli())
	if err := q.EnterZone(ctx, lane.Zone); err != nil {
		t.Fatal(err)
	}
	if err := c.XAdd(ctx, &redis.XAddArgs{Stream: q.KeyResults(lane), ID: ahead, Values: []string{"event", "{}"}}).Err(); err != nil {
		t.Fatal(err)
	}
	found, _ := examine(t, "--redis", server.URL())
	wantFinding(t, found, "clock", howWarn, "was set back")
	wantFinding(t, found, "clock", howOK, "agree within")
}

func TestDoctorCertificates(t *testing.T) {
	t.Parallel()
	ca := redistest.NewAuthority(t)
	server := ca.StartTLS(t, ca.Issue(t, "server", "127.0.0.1", time.Now().Add(72*time.Hour)))
	ours := ca.Issue(t, "ours", "ours", time.Now().Add(-time.Hour))
	with := func() []string {
		return []string{"--redis", server.URL(), "--redis-ca", ca.File, "--redis-cert", ours.Cert, "--redis-key", ours.Key}
	}
	found, code := examine(t, with()...)
	wantFinding(t, found, "redis", howBad, "expired certificate")
	if code != ExitUnreachable {
		t.Errorf("code %d, want %d", code, ExitUnreachable)
	}
	ca.Issue(t, "ours", "ours", time.Now().Add(300*24*time.Hour))
	found, _ = examine(t, with()...)
	wantFinding(t, found, "certificate", howWarn, server.Addr()+": ends in") // that of the authority ends in an hour
	wantFinding(t, found, "certificate", howOK, ours.Cert+": good until")
	wantFinding(t, found, "transport", howOK, "this host")
}

func TestDoctorFiles(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "doctor") // where everybody may enter, unlike t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	write := func(name, text string, mode os.FileMode) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil { // whatever the umask
			t.Fatal(err)
		}
		return path
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	write("good/web", "hush", 0o600)
	write("good/.targets", "*", 0o644)
	write("bad/web", "hush", 0o644)
	away := []string{"--redis", "redis://127.0.0.1:1", "--prefix", "p"}
	for _, tt := range []struct {
		args            []string
		what, how, text string
	}{
		{[]string{"--secrets", filepath.Join(dir, "good")}, "secrets", howOK, "1 secret"},
		{[]string{"--secrets", filepath.Join(dir, "bad")}, "secrets", howWarn, "everybody"},
		{[]string{"--secrets", filepath.Join(dir, "bad")}, "secrets", howWarn, "web.targets"},
		{[]string{"--secrets", filepath.Join(dir, "none")}, "secrets", howBad, "none"},
		{[]string{"--handlers", write("h1.yaml", "- {name: j, type: log}\n", 0o644)}, "handlers", howOK, "1 handler"},
		{[]string{"--handlers", write("h2.yaml", "- {name: j, type: lgo}\n", 0o644)}, "handlers", howBad, "h2.yaml:1:"},
		{[]string{"--plugins", write("p1.yaml", "plugins: {}\n", 0o644)}, "plugins", howOK, "p1.yaml"},
		{[]string{"--plugins", write("p2.yaml", "plugins: {}\n", 0o664)}, "plugins", howBad, "chmod go-w"},
		{[]string{"--plugins", write("p3.yaml", "plugins: {a: {path: sh}}\n", 0o644)}, "plugins", howBad, "a: "},
		{[]string{"--redis-password-file", write("pw", "hush", 0o604)}, "credentials", howWarn, "chmod o-r"},
		{nil, "files", howOK, "slots"},
	} {
		found, code := examine(t, append(tt.args, away...)...)
		wantFinding(t, found, tt.what, tt.how, tt.text)
		if code != ExitUnreachable {
			t.Errorf("doctor %q without a Redis = %d, want %d", tt.args, code, ExitUnreachable)
		}
	}
}

func TestDoctorCluster(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.ClusterMode(porttest.Free(t))...)
	c := server.Client(t)
	url := "redis+cluster://" + server.Addr()
	for _, to := range []int{8000, 16383} {
		if err := c.ClusterAddSlotsRange(t.Context(), to/16000*8001, to).Err(); err != nil {
			t.Fatal(err)
		}
		if to == 8000 {
			eventually(t, func() error {
				if text := c.ClusterInfo(t.Context()).Val(); !strings.Contains(text, "cluster_slots_assigned:8001") {
					return fmt.Errorf("%s", text)
				}
				return nil
			})
			found, _ := examine(t, "--redis", url)
			wantFinding(t, found, "cluster", howBad, "8001 of 16384")
		}
	}
	eventually(t, func() error {
		if text := c.ClusterInfo(t.Context()).Val(); !strings.Contains(text, "cluster_state:ok") {
			return fmt.Errorf("%s", text)
		}
		return nil
	})
	found, _ := examine(t, "--redis", url)
	wantFinding(t, found, "cluster", howWarn, "replica")
	wantFinding(t, found, fmt.Sprintf("eviction :%d", server.Port), howOK, "noeviction")
}

// eventually waits until f gives no error.
func eventually(t *testing.T, f func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("it did not happen within 20 s: %v", err)
		}
	}
}
