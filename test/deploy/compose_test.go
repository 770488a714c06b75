package deploy

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"
)

// composeFile is the part of the Compose Specification that we use; other
// fields are refused.
type composeFile struct {
	Name     string                    `json:"name"`
	Daemon   composeService            `json:"x-daemon"`
	Services map[string]composeService `json:"services"`
	Volumes  map[string]*struct{}      `json:"volumes"`
}

type composeService struct {
	Image string `json:"image"`
	Build *struct {
		Context    string `json:"context"`
		Dockerfile string `json:"dockerfile"`
	} `json:"build"`
	Restart     string            `json:"restart"`
	DependsOn   []string          `json:"depends_on"`
	User        string            `json:"user"`
	ReadOnly    bool              `json:"read_only"`
	CapDrop     []string          `json:"cap_drop"`
	SecurityOpt []string          `json:"security_opt"`
	Command     []string          `json:"command"`
	Entrypoint  []string          `json:"entrypoint"`
	Environment map[string]string `json:"environment"`
	Deploy      struct {
		Replicas int `json:"replicas"`
	} `json:"deploy"`
	Ports   []string          `json:"ports"`
	Volumes []string          `json:"volumes"`
	Tmpfs   []string          `json:"tmpfs"`
	Sysctls map[string]string `json:"sysctls"`
	Grace   string            `json:"stop_grace_period"`
}

// judgeCompose gives what is wrong with a Compose file in the folder deploy.
func judgeCompose(text string, known settings) (faults []string) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	var c composeFile
	if err := yaml.UnmarshalStrict([]byte(text), &c); err != nil {
		return []string{err.Error()}
	}
	if got := slices.Sorted(maps.Keys(c.Services)); !slices.Equal(got, []string{"redis", "scheduler", "worker"}) {
		return []string{fmt.Sprintf("the services are %q", got)}
	}
	for _, name := range []string{"scheduler", "worker"} {
		s := c.Services[name]
		if !slices.Equal(s.Entrypoint, []string{name}) || len(s.Command) > 0 {
			fault("%s starts %q %q", name, s.Entrypoint, s.Command)
		}
		if s.User != "65532:65532" || !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
			fault("%s may do more than it needs", name)
		}
		for env := range s.Environment {
			if !known.takes(name, env) {
				fault("%s does not read %s", name, env)
			}
		}
		if s.Environment["REDPOLL_REDIS"] != "redis://redis:6379/0" {
			fault("%s uses the Redis %q", name, s.Environment["REDPOLL_REDIS"])
		}
		need := hangingRedis + margin
		if grace, err := time.ParseDuration(s.Environment["REDPOLL_GRACE"]); err == nil {
			need += grace
		}
		if limit, err := time.ParseDuration(s.Grace); err != nil || limit < need {
			fault("%s is killed after %s, want %s at least", name, s.Grace, need)
		}
	}
	judgeComposeFiles(c, fault)
	if c.Services["scheduler"].Deploy.Replicas != 2 {
		fault("there are %d schedulers, want two", c.Services["scheduler"].Deploy.Replicas)
	}
	if got := c.Services["worker"].Sysctls; got[pingSysctl.Name] != pingSysctl.Value {
		fault("workers have the sysctls %v", got)
	}
	redis := strings.Join(c.Services["redis"].Command, " ")
	for _, want := range []string{"--appendonly yes", "--appendfsync everysec", "--maxmemory-policy noeviction"} {
		if !strings.Contains(redis, want) {
			fault("redis has no %q", want)
		}
	}
	return faults
}

// judgeComposeFiles: what is mounted is there, and nothing listens on more than
// this machine.
func judgeComposeFiles(c composeFile, fault reporter) {
	for name, s := range c.Services {
		for _, p := range s.Ports {
			if !strings.HasPrefix(p, "127.0.0.1:") {
				fault("%s listens on %s", name, p)
			}
		}
		targets := map[string]string{}
		for _, v := range s.Volumes {
			source, to, _ := strings.Cut(v, ":")
			targets[strings.TrimSuffix(to, ":ro")] = source
			_, volume := c.Volumes[source]
			if _, err := os.Stat(filepath.Join(root, "deploy", source)); err != nil && !volume {
				fault("%s mounts %s, which is not there", name, source)
			}
		}
		if file := s.Environment["REDPOLL_HANDLERS"]; file != "" && targets[file] == "" {
			fault("%s: nothing is mounted at %s", name, file)
		}
		if s.Build == nil {
			continue
		}
		if _, err := os.Stat(filepath.Join(root, "deploy", s.Build.Context, s.Build.Dockerfile)); err != nil {
			fault("%s: %v", name, err)
		}
	}
}

// TestCompose: the file means what it should, and each planted fault is found.
func TestCompose(t *testing.T) {
	t.Parallel()
	text, known := read(t, "deploy/compose.yaml"), readSettings(t)
	for _, fault := range judgeCompose(text, known) {
		t.Error(fault)
	}
	for _, p := range []struct{ old, new, want string }{
		{"REDPOLL_GRACE", "REDPOLL_GRACES", "does not read REDPOLL_GRACES"},
		{"entrypoint: [worker]", "entrypoint: [workers]", "worker starts"},
		{"read_only: true", "read_only: false", "more than it needs"},
		{"cap_drop:", "cap_drops:", "unknown field"},
		{"stop_grace_period: 45s", "stop_grace_period: 25s", "want 38s at least"},
		{"\"0 65535\"", "\"0 1\"", "have the sysctls"},
		{"noeviction", "allkeys-lru", "noeviction"},
		{"replicas: 2", "replicas: 1", "want two"},
		{"127.0.0.1:6379:6379", "6379:6379", "listens on"},
		{"./kustomize/base/handlers.yaml:", "./handlers.yaml:", "not there"},
		{":/etc/redpoll/handlers.yaml:ro", ":/etc/handlers.yaml:ro", "nothing is mounted"},
		{"dockerfile: deploy/Dockerfile", "dockerfile: Dockerfile", "no such file"},
		{"redis://redis:6379/0", "redis://localhost:6379/0", "uses the Redis"},
		{"  worker:\n", "  workers:\n", "the services are"},
	} {
		spoilt := strings.ReplaceAll(text, p.old, p.new)
		if got := strings.Join(judgeCompose(spoilt, known), "\n"); spoilt == text || !strings.Contains(got, p.want) {
			t.Errorf("a Compose file with %q for %q: %q, want %q", p.new, p.old, got, p.want)
		}
	}
}
