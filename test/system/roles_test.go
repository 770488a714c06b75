package system

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redpoll/redpoll/internal/redistest"
)

// newRoles is a fleet on a Redis with the users of deploy/redis/users.acl: each
// program has its own, redis-cli is the producer, redpoll the operator.
func newRoles(t testing.TB) *fleet {
	t.Helper()
	notShort(t)
	server := redistest.StartRoles(t, "--appendonly", "yes")
	f := newFleetOn(t, server)
	f.reach = func(program string) []string {
		switch program {
		case "redis-cli":
			return []string{"-p", strconv.Itoa(server.Port), "--user", "producer", "--pass", "producer", "--no-auth-warning"}
		case "redpoll":
			return []string{"--redis", server.URLAs("operator")}
		}
		return []string{"-redis", server.URLAs(program)}
	}
	return f
}

// noRefusals demands that nobody tried what his role does not allow.
func (f *fleet) noRefusals() {
	f.Helper()
	entries, err := f.client.ACLLog(f.Context(), 128).Result()
	if err != nil {
		f.Fatal(err)
	}
	for _, e := range entries {
		f.Errorf("the user %s was refused %s %d times (%s, %s): extend deploy/redis/users.acl, or do without", e.Username, e.Object, e.Count, e.Reason, e.Context)
	}
}

// as runs the CLI as another user.
func (f *fleet) as(role string, args ...string) (string, int) {
	f.Helper()
	return f.run("", binary(f, "redpoll"), append([]string{"--redis", f.redis.URLAs(role)}, args...)...)
}

// The whole system works with the users of deploy/redis/users.acl, also when
// workers die and keys are lost, and nobody tries more than he may.
func TestRoles(t *testing.T) {
	t.Parallel()
	f := newRoles(t)
	ss, ws := f.up(2, 3)
	f.ready(f.worker("w4", "-zones", "lab,default"))
	f.add(60, time.Second, 2*time.Second)
	f.accepted(f.addLine("inlab", "1s", "zone lab"))
	f.noRefusals()

	lost := f.worker("w5", "-zones", "far", "-uplink", "tcp:127.0.0.1:1")
	f.eventually(30*time.Second, func() error {
		if n := f.client.HLen(t.Context(), "redpoll:{far:0}:incidents").Val(); n == 0 {
			return errors.New("no incident of a worker without a network")
		}
		return nil
	})
	lost.stop()
	f.noRefusals()

	for range 3 { // reclaim
		ws[0].kill()
		pass(t, 300*time.Millisecond)
		ws[0] = f.again(ws[0])
	}
	ss[0].kill()
	f.again(ss[0])
	f.ready(f.running("")...)
	f.noRefusals()

	f.rob() // repair
	begun := time.Now()
	f.goOn(begun, 2, 20*time.Second)
	if len(f.repairs()) < 2 {
		t.Errorf("repaired %v, want more kinds: this tests less than it should", f.repairs())
	}
	f.noRefusals()
	if err := f.client.HDel(t.Context(), key("specs"), "astray").Err(); err != nil {
		t.Fatal(err)
	}
	f.finish(bounds{doubles: 8, gap: 20 * time.Second, offGrid: 8})
	for _, s := range f.running("s") {
		s.stop()
	}
	f.noRefusals()
}

// rob takes away, as a user who may do everything, what repair brings back.
func (f *fleet) rob() {
	f.Helper()
	for _, words := range [][]any{
		{"ZREM", key("due"), "c000", "c001"}, {"HDEL", key("runs"), "c002", "c003"}, {"HSET", key("runs"), "c004", "junk"},
		{"HSET", key("specs"), "hand", f.spec("hand", "1s")}, {"HDEL", key("specs"), "c059"}, {"HSET", key("last"), "nobody", "{}"},
		{"XGROUP", "DESTROY", key("ready"), "workers"}, {"DEL", "redpoll:zones"}, {"ZADD", key("due"), "1e15", "c005"},
		{"HSET", key("specs"), "astray", "junk"},
	} {
		if err := f.client.Do(f.Context(), words...).Err(); err != nil {
			f.Fatal(words, err)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.checks, "c059")
}

// verbs are calls of every verb of redpoll by the role that it needs, and what
// they print. Those that speak to no Redis of others are not in it.
var verbs = []struct {
	role, line, want string
	code             int
}{
	{"operator", "add v1 tcp --every 1h host=127.0.0.1 port=1", "v1", 0},
	{"operator", "add v2 tcp --every 1h host=127.0.0.1 port=1", "v2", 0},
	{"operator", "pause v2", "v2", 0},
	{"operator", "resume v2", "v2", 0},
	{"operator", "run v1", "v1", 0},
	{"operator", "apply -f - --yes", "", 0},
	{"operator", "delete v2 --yes", "v2", 0},
	{"viewer", "get", "v1", 0},
	{"viewer", "get v1 -o json", `"v1"`, 0},
	{"viewer", "describe v1", "v1", 0},
	{"viewer", "diff -f -", "", 0},
	{"viewer", "export", "v1", 0},
	{"viewer", "results -n 3", "", 0},
	{"viewer", "top --once", "v1", 0},
	{"viewer", "trace v1", "UNREACHABLE", 0},
	{"viewer", "incidents", "v1", 0},
	{"viewer", "incidents --all -o wide", "v1", 0},
	{"operator", "ack v1 --for 1h", "v1", 0},
	{"operator", "ack v1 --remove", "v1", 0},
	{"operator", "downtime add v1 --id maint --for 1h", "maint", 0},
	{"viewer", "downtime list", "maint", 0},
	{"viewer", "describe v1", "maint", 0},
	{"operator", "downtime delete maint", "maint", 0},
	{"viewer", "zones", "default", 0},
	{"viewer", "due", "", 0},
	{"viewer", "workers", "w1", 0},
	{"viewer", "verify", "", 0},
	{"operator", "verify --repair", "", 0},
	{"viewer", "doctor", "", 0},
	{"operator", "doctor -o json", "", 0},
	{"viewer", "deadletters", "deaf", 0},
	{"operator", "deadletters --handler deaf --retry", "", 0},
	{"viewer", "results --replay post --from 1h --dry-run", "v1", 0},
	{"operator", "results --replay post --from 1h", "sent again to post", 0},
	{"operator", "zones move v1 --to far", "v1", 0},
	{"operator", "add v5 tcp --every 1h --zone far host=127.0.0.1 port=1", "v5", 0},
	{"operator", "add v6 tcp --every 1h --zone far host=127.0.0.1 port=1", "v6", 0},
	{"operator", "zones set far --partitions 4 --wait 30s", "", 0},
	{"operator", "delete v1 --zone far --yes", "v1", 0},
}

// elsewhere are the verbs that use a Redis of their own, or none.
var elsewhere = []string{"demo", "bench", "version", "completion", "help"}

// TestRolesOfVerbs: each verb of redpoll works for the role that README and
// docs name, and needs no more.
func TestRolesOfVerbs(t *testing.T) {
	t.Parallel()
	f := newRoles(t)
	in := serveInbox(t)
	deaf := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(deaf.Close)
	list := filepath.Join(t.TempDir(), "handlers.yaml")
	text := fmt.Sprintf("- {name: post, type: webhook, url: %q, default: true}\n- {name: deaf, type: webhook, url: %q, default: true, give_up: 1s}\n", in.URL, deaf.URL)
	if err := os.WriteFile(list, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := f.scheduler("s1")
	f.ready(s, f.worker("w1", "-handlers", list), f.worker("w2", "-handlers", list, "-zones", "default,far"))
	f.add(5, time.Second)
	seen := map[string]bool{}
	for _, v := range verbs {
		args := strings.Fields(v.line)
		if args[0] == "deadletters" {
			f.eventually(20*time.Second, func() error { // what cannot be delivered was given up
				if f.client.XLen(t.Context(), key("dead")).Val() == 0 {
					return errors.New("no dead letter")
				}
				return nil
			})
		}
		seen[args[0]] = true
		out, code := f.as(v.role, args...)
		if code != v.code || !strings.Contains(out, v.want) {
			t.Errorf("redpoll %s as %s = %d, want %d and %q:\n%s", v.line, v.role, code, v.code, v.want, out)
		}
		if strings.Contains(out, "NOPERM") || strings.Contains(out, "no permissions") {
			t.Errorf("redpoll %s as %s may not what it does:\n%s", v.line, v.role, out)
		}
	}
	help, _ := f.redpoll("help")
	for _, m := range regexp.MustCompile(`(?m)^  ([a-z]+) +[A-Z]`).FindAllStringSubmatch(help, -1) {
		if verb := m[1]; !seen[verb] && !slices.Contains(elsewhere, verb) {
			t.Errorf("no role is named that can do 'redpoll %s': add a line to verbs", verb)
		}
	}
	f.eventually(10*time.Second, func() error {
		if got := in.count("v1"); got < 2 {
			return fmt.Errorf("the handler got %d changes of v1, want its incident and what was sent again", got)
		}
		return nil
	})
	tail := start(t, "tail", binary(t, "redpoll"), "--redis", f.redis.URLAs("viewer"), "results", "-f", "-n", "0")
	f.eventually(5*time.Second, func() error {
		if !strings.Contains(tail.Logs.String(), "c000") {
			return fmt.Errorf("results -f shows %q", tail.Logs.String())
		}
		return nil
	})
	tail.kill()
	f.mendAsOperator(s)
	f.noRefusals()

	for _, line := range []string{"add v3 tcp --every 1h host=127.0.0.1 port=1", "delete c000 --yes"} {
		if out, code := f.as("viewer", strings.Fields(line)...); code == 0 {
			t.Errorf("redpoll %s worked for a viewer:\n%s", line, out)
		}
	}
	if out, code := f.as("viewer", "get", "c000", "-o", "name"); code != 0 || !strings.Contains(out, "c000") {
		t.Errorf("c000 is gone after what a viewer tried: %s", fmt.Sprint(code, out))
	}
}

// mendAsOperator has redpoll mend what is wrong while no scheduler does.
func (f *fleet) mendAsOperator(s *proc) {
	f.Helper()
	if out, code := f.redpoll("add", "v4", "tcp", "--every", "1h", "host=127.0.0.1", "port=1"); code != 0 {
		f.Fatal(out)
	}
	s.stop()
	for _, words := range [][]any{
		{"ZREM", key("due"), "c000", "v4"}, {"HSET", key("runs"), "c001", "junk"}, {"ZADD", key("due"), "1e15", "v4"},
		{"HSET", key("last"), "nobody", "{}"}, {"ZADD", key("due"), "1e15", "nobody2"},
	} {
		if err := f.client.Do(f.Context(), words...).Err(); err != nil {
			f.Fatal(words, err)
		}
	}
	out, _ := f.redpoll("verify", "--repair", "--wait", "1s")
	for _, want := range []string{"bad_record", "far", "stray"} {
		if !strings.Contains(out, want) {
			f.Errorf("redpoll verify --repair mended no %s:\n%s", want, out)
		}
	}
	f.ready(f.again(s))
	f.eventually(15*time.Second, func() error {
		if out, code := f.redpoll("verify"); code != 0 {
			return fmt.Errorf("verify = %d %s", code, out)
		}
		return nil
	})
}

// count is how many changes of a check have come.
func (in *inbox) count(id string) int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return len(in.got[id])
}
