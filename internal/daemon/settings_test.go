package daemon

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// process makes a Process with the given environment, a list of key, value.
func process(args []string, env ...string) (*Process, *bytes.Buffer) {
	vars := map[string]string{}
	for i := 0; i < len(env); i += 2 {
		vars[env[i]] = env[i+1]
	}
	var out bytes.Buffer
	lookup := func(k string) (string, bool) { v, ok := vars[k]; return v, ok }
	return &Process{Name: "worker", Args: args, LookupEnv: lookup, Stdout: &out, Stderr: &out}, &out
}

func TestSettingsOrder(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		args []string
		env  []string
		want time.Duration
	}{
		{"default", nil, nil, 30 * time.Second},
		{"variable", nil, []string{"REDPOLL_READ_LEASE", "10s"}, 10 * time.Second},
		{"empty variable", nil, []string{"REDPOLL_READ_LEASE", ""}, 30 * time.Second},
		{"flag", []string{"-read-lease", "5s"}, []string{"REDPOLL_READ_LEASE", "10s"}, 5 * time.Second},
		{"flag with equals sign", []string{"--read-lease=5s"}, nil, 5 * time.Second},
		{"flag hides a bad variable", []string{"-read-lease=5s"}, []string{"REDPOLL_READ_LEASE", "x"}, 5 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, _ := process(tt.args, tt.env...)
			s := NewSettings(p, "tests")
			got := s.Duration("read-lease", 30*time.Second, "a lease")
			if err := s.Parse(); err != nil || *got != tt.want {
				t.Errorf("Parse() = %v, %v, want %v", *got, err, tt.want)
			}
		})
	}
}

func TestSettingsKinds(t *testing.T) {
	t.Parallel()
	p, _ := process([]string{"-zones", "a, b,,c", "-fast", "-name=n", "-slots", "-7"}, "REDPOLL_KEY", "k")
	s := NewSettings(p, "tests")
	zones, none := s.List("zones", "default", "ZONE", "zones"), s.List("none", "", "X", "none")
	fast, slow := s.Bool("fast", "fast"), s.Bool("slow", "slow")
	name, slots, key := s.String("name", "x", "NAME", "name"), s.Int("slots", 1, "checks", "slots"), s.Secret("key", "", "TEXT", "key")
	if err := s.Parse(); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(*zones, "|"); got != "a|b|c" || len(*none) != 0 {
		t.Errorf("lists = %q and %q, want a|b|c and nothing", got, *none)
	}
	if !*fast || *slow || *name != "n" || *slots != -7 || *key != "k" {
		t.Errorf("got fast %v slow %v name %q slots %d key %q", *fast, *slow, *name, *slots, *key)
	}
}

func TestSettingsAllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	p, _ := process([]string{"stray", "-slots=0", "-wrong", "x", "-log-level", "loud", "-redis", "canary", "-grace"}, "REDPOLL_LEASE", "30")
	s := NewSettings(p, "tests")
	NewCommon(s, "")
	s.Int("slots", 1000, "checks", "slots", AtLeast(1), AtMost(10))
	s.Duration("lease", time.Second, "lease")
	s.Duration("grace", time.Second, "grace")
	err := s.Parse()
	var faults *SettingsError
	if !errors.As(err, &faults) {
		t.Fatalf("Parse() = %v, want a SettingsError", err)
	}
	want := []string{`argument "stray"`, "-wrong: there is no such", "-grace: its value is missing",
		`-redis "(hidden)": want a URL`, `-log-level "loud": want one of debug`, `-slots "0": want at least 1`, `REDPOLL_LEASE "30": want a duration`}
	if len(faults.Faults) != len(want) {
		t.Errorf("%d faults, want %d:\n%v", len(faults.Faults), len(want), err)
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("faults do not tell %q:\n%v", w, err)
		}
	}
	if strings.Contains(err.Error(), "canary") {
		t.Errorf("faults show a secret:\n%v", err)
	}
}

func TestSecretFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pw")
	if err := os.WriteFile(path, []byte("a b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, _ := process(nil, "REDPOLL_REDIS_PASSWORD_FILE", path, "REDPOLL_NAME_FILE", path)
	s := NewSettings(p, "tests")
	c := NewCommon(s, ":9102")
	name := s.String("name", "n", "NAME", "no secret, so no file")
	if err := s.Parse(); err != nil {
		t.Fatal(err)
	}
	url, sec := c.Redis()
	want := redisqueue.Security{Password: "a b", PasswordFile: path}
	if url != "redis://127.0.0.1:6379/0" || !reflect.DeepEqual(sec, want) || *name != "n" {
		t.Errorf("Redis() = %q, %+v, name %q, want %+v", url, sec, *name, want)
	}
	p, _ = process(nil, "REDPOLL_REDIS_FILE", path+"-missing")
	s = NewSettings(p, "tests")
	NewCommon(s, "")
	if err := s.Parse(); err == nil || !strings.Contains(err.Error(), "REDPOLL_REDIS_FILE") {
		t.Errorf("Parse() with a missing file = %v, want a fault", err)
	}
}

func TestRedisSecurity(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pem")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p, _ := process([]string{"-redis-user=kim", "-redis-password=p", "-redis-ca=" + path, "-redis-cert=" + path, "-redis-key=" + path, "-redis-server-name=n"},
		"REDPOLL_REDIS_PASSWORD_FILE", path+"-unread")
	s := NewSettings(p, "tests")
	c := NewCommon(s, "")
	if err := s.Parse(); err != nil {
		t.Fatal(err)
	}
	want := redisqueue.Security{Username: "kim", Password: "p", CAFile: path, CertFile: path, KeyFile: path, ServerName: "n"}
	if _, sec := c.Redis(); !reflect.DeepEqual(sec, want) {
		t.Errorf("Redis() = %+v, want %+v", sec, want)
	}
	p, _ = process([]string{"-redis-ca=" + path + "-missing"})
	s = NewSettings(p, "tests")
	NewCommon(s, "")
	if err := s.Parse(); err == nil || !strings.Contains(err.Error(), "-redis-ca") {
		t.Errorf("Parse() with a missing file = %v, want a fault", err)
	}
}

// What is wrong with the way to Redis is told with what to do about it.
func TestWarnings(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]bool{"redis://10.0.0.1:1": true, "rediss://10.0.0.1:1": false, "redis://127.0.0.1:1": false} {
		var log strings.Builder
		p, _ := process([]string{"-redis", url})
		s := NewSettings(p, "tests")
		c := NewCommon(s, "")
		if err := s.Parse(); err != nil {
			t.Fatal(err)
		}
		c.WarnInClear(t.Context(), c.Logger(&log))
		if got := strings.Contains(log.String(), "clear text"); got != want {
			t.Errorf("%s: warned %v, want %v: %s", url, got, want, log.String())
		}
	}
	err := Await(t.Context(), slog.New(slog.DiscardHandler), NewHealth(time.Second, nil), func(context.Context) (bool, error) {
		return true, x509.UnknownAuthorityError{}
	})
	if err == nil || !strings.Contains(err.Error(), "redis-ca") {
		t.Errorf("Await() = %v, want what to do about it", err)
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	p, out := process([]string{"-h", "-wrong"})
	s := NewSettings(p, "runs checks")
	NewCommon(s, ":9102")
	s.Int("slots", 1000, "checks", "how many run at once")
	if err := s.Parse(); !errors.Is(err, ErrHelp) {
		t.Fatalf("Parse() = %v, want ErrHelp", err)
	}
	for _, want := range []string{"worker runs checks.", "-slots checks", "(default 1000, environment REDPOLL_SLOTS)",
		"REDPOLL_REDIS or REDPOLL_REDIS_FILE", "-allow-eviction\n", "(default none, environment REDPOLL_PPROF)"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("help lacks %q:\n%s", want, out)
		}
	}
}

func TestCommonRules(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		arg string
		ok  bool
	}{
		{"-prefix=my.red:poll", true}, {"-prefix={x}", false}, {"-prefix=", false},
		{"-listen=", true}, {"-listen=:1", true}, {"-listen=1", false}, {"-listen=:99999", false}, {"-listen=:-1", false}, {"-listen=:no-such-service", false}, {"-pprof=127.0.0.1:99999", false},
		{"-pprof=127.0.0.1:1", true}, {"-pprof=localhost:1", true}, {"-pprof=[::1]:1", true}, {"-pprof=:1", false}, {"-pprof=10.0.0.1:1", false},
		{"-redis=unix:///x", true}, {"-redis=host:1", false}, {"-allow-eviction=2", false},
	} {
		p, _ := process([]string{tt.arg})
		s := NewSettings(p, "tests")
		NewCommon(s, "")
		if err := s.Parse(); (err == nil) != tt.ok {
			t.Errorf("Parse(%s) = %v, want ok %v", tt.arg, err, tt.ok)
		}
	}
}

func TestFault(t *testing.T) {
	t.Parallel()
	p, _ := process(nil)
	s := NewSettings(p, "tests")
	s.Secret("key", "", "TEXT", "a key")
	if err := s.Err(); err != nil {
		t.Errorf("Err() = %v, want nil", err)
	}
	s.Fault("handlers", "h.yaml", errors.New("line 3"))
	s.Fault("key", "canary", errors.New("bad"))
	if got, want := s.Err().Error(), "worker: -handlers \"h.yaml\": line 3\nworker: -key \"(hidden)\": bad"; got != want {
		t.Errorf("Err() = %q, want %q", got, want)
	}
}

func TestFloat(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text string
		want float64
		err  string
	}{
		{"", 0.01, ""}, {"0", 0, ""}, {"1e-3", 0.001, ""}, {"1", 1, ""},
		{"2", 0, "want at most 1"}, {"-0.1", 0, "want at least 0"}, {"NaN", 0, "want a number"}, {"1%", 0, "want a number"},
	} {
		p, _ := process(nil, "REDPOLL_SHARE", tt.text)
		s := NewSettings(p, "tests")
		got := s.Float("share", 0.01, "share", "a share", AtLeast(0.0), AtMost(1.0))
		switch err := s.Parse(); {
		case tt.err == "" && (err != nil || *got != tt.want):
			t.Errorf("%q: Parse() = %v, %v, want %v", tt.text, *got, err, tt.want)
		case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)):
			t.Errorf("%q: Parse() = %v, want %q", tt.text, err, tt.err)
		}
	}
}
