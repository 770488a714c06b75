package deploy

import (
	"path"
	"regexp"
	"strconv"
	"strings"
	"testing"

	core "k8s.io/api/core/v1"
)

// settings are those of the daemons, as docs/settings.md has them; the daemons'
// own tests compare that page with the programs.
type settings map[string]map[string]string // of daemon and variable to default

var settingRow = regexp.MustCompile("(?m)^\\| `-\\S+(?: \\S+)?` \\| (.*?) \\| (.*?) \\| .+ \\|$")

func readSettings(t *testing.T) settings {
	t.Helper()
	page := read(t, "docs/settings.md")
	known := settings{}
	for _, daemon := range []string{"scheduler", "worker"} {
		_, section, _ := strings.Cut(page, "\n## "+daemon+"\n")
		section, _, _ = strings.Cut(section, "\n## ")
		known[daemon] = map[string]string{}
		for _, m := range settingRow.FindAllStringSubmatch(section, -1) {
			for _, env := range strings.Split(m[1], ", ") {
				known[daemon][strings.Trim(env, "`")] = strings.Trim(m[2], "`")
			}
		}
		if len(known[daemon]) < 10 {
			t.Fatalf("docs/settings.md has %d variables of the %s: the test looks in the wrong place", len(known[daemon]), daemon)
		}
	}
	return known
}

// takes says whether the program of a container reads a variable. The
// operator's command reads those of the daemons.
func (s settings) takes(program, env string) bool {
	if program == "redpoll" {
		program = "scheduler"
	}
	_, ok := s[program][env]
	return ok
}

// value is what a daemon's setting comes to: its variable or its default.
func (s settings) value(f *fleet, p pod, env string) string {
	if v, ok := variables(f, p.template.Spec.Containers[0])[env]; ok {
		return v
	}
	return s[p.daemon][env]
}

// variables are the environment of a container, as far as manifests say it.
func variables(f *fleet, c core.Container) map[string]string {
	vars := map[string]string{}
	for _, from := range c.EnvFrom {
		if from.ConfigMapRef == nil {
			continue
		}
		if m := f.config(from.ConfigMapRef.Name); m != nil {
			for k, v := range m.Data {
				vars[k] = v
			}
		}
	}
	for _, e := range c.Env {
		vars[e.Name] = e.Value
	}
	return vars
}

// configured: every variable is one that the program reads, none is there
// twice, and what has to be a certain way is.
func configured(known settings) func(*fleet, reporter) {
	return func(f *fleet, fault reporter) {
		for _, p := range f.pods() {
			c := p.template.Spec.Containers[0]
			if len(p.template.Spec.Containers) != 1 || len(c.Command) == 0 {
				fault("%s: want one container with a command", p.owner)
				continue
			}
			if c.Command[0] == "redis-server" {
				continue
			}
			if p.daemon != "" && len(c.Args) > 0 {
				fault("%s has arguments: the environment holds the settings", p.owner)
			}
			seen := map[string]bool{}
			for _, e := range c.Env {
				if seen[e.Name] {
					fault("%s: %s is there twice", p.owner, e.Name)
				}
				seen[e.Name] = true
			}
			vars := variables(f, c)
			for name := range vars {
				if !known.takes(c.Command[0], name) {
					fault("%s: %s does not read %s", p.owner, c.Command[0], name)
				}
			}
			if u := vars["REDPOLL_REDIS"]; !strings.Contains(u, "://") {
				fault("%s: REDPOLL_REDIS is %q", p.owner, u)
			}
			configuredWorker(f, p, vars, fault)
		}
	}
}

// configuredWorker: its name is its pod's, and in production it keeps away from
// what no check is about.
func configuredWorker(f *fleet, p pod, vars map[string]string, fault reporter) {
	if p.daemon != "worker" {
		return
	}
	named := false
	for _, e := range p.template.Spec.Containers[0].Env {
		named = named || e.Name == "REDPOLL_NAME" && e.ValueFrom != nil && e.ValueFrom.FieldRef != nil && e.ValueFrom.FieldRef.FieldPath == "metadata.name"
	}
	if !named {
		fault("%s: REDPOLL_NAME is not the name of the pod", p.owner)
	}
	if f.name != prod && f.name != keda {
		return
	}
	for _, want := range []string{"127.0.0.0/8", "::1/128", "$(KUBERNETES_SERVICE_HOST)"} {
		if !strings.Contains(","+vars["REDPOLL_DENY_TARGETS"]+",", ","+want+",") {
			fault("%s does not deny %s", p.owner, want)
		}
	}
	if !strings.HasPrefix(vars["REDPOLL_REDIS"], "rediss") || vars["REDPOLL_REDIS_CA"] == "" || vars["REDPOLL_REDIS_PASSWORD_FILE"] == "" {
		fault("%s: want TLS and a password from a file", p.owner)
	}
}

// enrolled: a daemon's user of Redis is the one that deploy/redis has for it.
func enrolled(acl string) func(*fleet, reporter) {
	return func(f *fleet, fault reporter) {
		for _, p := range f.daemons() {
			user, ok := variables(f, p.template.Spec.Containers[0])["REDPOLL_REDIS_USER"]
			if ok && (user != p.daemon || !strings.Contains(acl, "\nuser "+user+" ")) {
				fault("%s is %s to Redis, deploy/redis/users.acl has no such %s", p.owner, user, p.daemon)
			}
		}
	}
}

// filed: every file that a setting names is in a volume, under that name.
func filed(f *fleet, fault reporter) {
	for _, p := range f.pods() {
		for name, value := range variables(f, p.template.Spec.Containers[0]) {
			file := strings.HasSuffix(name, "_FILE") || strings.HasSuffix(name, "_CA") || name == "REDPOLL_HANDLERS"
			if name == "REDPOLL_SECRETS" && !mounted(p, value) {
				fault("%s: %s: nothing is mounted at %s", p.owner, name, value)
			}
			if file && !contains(f, p, value) {
				fault("%s: %s: no volume holds %s", p.owner, name, value)
			}
		}
	}
}

func mounted(p pod, dir string) bool {
	for _, m := range p.template.Spec.Containers[0].VolumeMounts {
		if m.MountPath == dir {
			return true
		}
	}
	return false
}

// contains says whether a volume has a file.
func contains(f *fleet, p pod, file string) bool {
	for _, m := range p.template.Spec.Containers[0].VolumeMounts {
		if m.MountPath != path.Dir(file) {
			continue
		}
		for _, v := range p.template.Spec.Volumes {
			if v.Name != m.Name {
				continue
			}
			if v.ConfigMap != nil {
				c := f.config(v.ConfigMap.Name)
				return c != nil && c.Data[path.Base(file)] != ""
			}
			if v.Secret != nil {
				for _, item := range v.Secret.Items {
					if item.Path == path.Base(file) {
						return true
					}
				}
			}
		}
	}
	return false
}

func number(n int32) string { return strconv.Itoa(int(n)) }
