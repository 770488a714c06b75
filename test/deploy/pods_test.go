package deploy

import (
	"strings"
	"time"

	core "k8s.io/api/core/v1"
)

// pingSysctl lets a group open ICMP sockets. The upper end is one that exists
// in user namespaces too.
var pingSysctl = core.Sysctl{Name: "net.ipv4.ping_group_range", Value: "0 65535"}

func is[T comparable](p *T, want T) bool { return p != nil && *p == want }

// restricted holds pods to Pod Security "restricted" and more: what the
// standard leaves to the image is said here, and roots are read-only.
func restricted(f *fleet, fault reporter) {
	for _, p := range f.pods() {
		raw := f.name == netRaw && p.daemon == "worker"
		restrictedPod(p, raw, fault)
		for _, c := range p.template.Spec.Containers {
			restrictedContainer(p.owner, c.SecurityContext, raw, fault)
		}
		if len(p.template.Spec.InitContainers)+len(p.template.Spec.EphemeralContainers) > 0 {
			fault("%s: the rules look at containers only", p.owner)
		}
	}
}

func restrictedPod(p pod, raw bool, fault reporter) {
	spec := p.template.Spec
	if spec.HostNetwork || spec.HostPID || spec.HostIPC {
		fault("%s uses the host's namespaces; with its network no sysctl of a pod holds", p.owner)
	}
	if !is(spec.AutomountServiceAccountToken, false) {
		fault("%s: automountServiceAccountToken is not false", p.owner)
	}
	if !is(spec.EnableServiceLinks, false) {
		fault("%s: enableServiceLinks is not false: services become variables, and those may be settings", p.owner)
	}
	s := spec.SecurityContext
	if s == nil {
		fault("%s has no securityContext", p.owner)
		return
	}
	switch {
	case raw:
		if !is(s.RunAsNonRoot, false) || !is(s.RunAsUser, 0) {
			fault("%s: the capability NET_RAW serves root alone", p.owner)
		}
	case !is(s.RunAsNonRoot, true) || s.RunAsUser == nil || *s.RunAsUser == 0:
		fault("%s may run as root", p.owner)
	}
	if s.RunAsGroup == nil || *s.RunAsGroup == 0 {
		fault("%s may have the group root", p.owner)
	}
	if s.SeccompProfile == nil || s.SeccompProfile.Type != core.SeccompProfileTypeRuntimeDefault {
		fault("%s: the seccomp profile is not RuntimeDefault", p.owner)
	}
	for _, v := range spec.Volumes {
		if v.ConfigMap == nil && v.Secret == nil && v.EmptyDir == nil {
			fault("%s: volume %s is of a kind that is not expected", p.owner, v.Name)
		}
		if v.Secret != nil && !is(v.Secret.DefaultMode, 0o440) {
			fault("%s: the files of volume %s are not 0440", p.owner, v.Name)
		}
		if v.Secret != nil && s.FSGroup == nil {
			fault("%s: without fsGroup it cannot read volume %s", p.owner, v.Name)
		}
	}
}

func restrictedContainer(owner string, s *core.SecurityContext, raw bool, fault reporter) {
	if s == nil || s.Capabilities == nil {
		fault("%s: a container has no securityContext with capabilities", owner)
		return
	}
	if !is(s.AllowPrivilegeEscalation, false) {
		fault("%s: allowPrivilegeEscalation is not false", owner)
	}
	if !is(s.ReadOnlyRootFilesystem, true) {
		fault("%s: the root file system is writable", owner)
	}
	if s.Privileged != nil || s.RunAsUser != nil || s.RunAsNonRoot != nil || s.SeccompProfile != nil || s.ProcMount != nil {
		fault("%s: a container has its own privileges, user or profile", owner)
	}
	if d := s.Capabilities.Drop; len(d) != 1 || d[0] != "ALL" {
		fault("%s drops the capabilities %v, want ALL", owner, d)
	}
	add := s.Capabilities.Add
	if raw && (len(add) != 1 || add[0] != "NET_RAW") || !raw && len(add) > 0 {
		fault("%s adds the capabilities %v", owner, add)
	}
}

// pingable: workers may open ICMP sockets, one way or the other.
func pingable(f *fleet, fault reporter) {
	for _, p := range f.daemons() {
		var sysctls []core.Sysctl
		if s := p.template.Spec.SecurityContext; s != nil {
			sysctls = s.Sysctls
		}
		switch want := p.daemon == "worker" && f.name != netRaw; {
		case want && (len(sysctls) != 1 || sysctls[0] != pingSysctl):
			fault("%s has the sysctls %v, want %v", p.owner, sysctls, pingSysctl)
		case !want && len(sysctls) > 0:
			fault("%s needs no sysctls, has %v", p.owner, sysctls)
		}
	}
}

// bounded: requests for the scheduler of the cluster, a limit of memory, from
// which the daemons take the goal of their collector, and none of CPU, which
// would make them late for nothing.
func bounded(f *fleet, fault reporter) {
	for _, p := range f.pods() {
		for _, c := range p.template.Spec.Containers {
			r := c.Resources
			if r.Requests.Cpu().IsZero() || r.Requests.Memory().IsZero() || r.Limits.Memory().IsZero() {
				fault("%s: want requests of CPU and memory and a limit of memory", p.owner)
			}
			if r.Requests.Memory().Cmp(*r.Limits.Memory()) > 0 {
				fault("%s: it requests more memory than it may have", p.owner)
			}
			if !r.Limits.Cpu().IsZero() {
				fault("%s: its CPU is limited", p.owner)
			}
		}
	}
}

// probed: the page that the probes ask is the one that the daemon serves, and
// what may restart a pod never asks for Redis.
func probed(known settings) func(*fleet, reporter) {
	return func(f *fleet, fault reporter) {
		for _, p := range f.daemons() {
			c := p.template.Spec.Containers[0]
			want := strings.TrimPrefix(known.value(f, p, "REDPOLL_LISTEN"), ":")
			if len(c.Ports) != 1 || c.Ports[0].Name != "metrics" || want != number(c.Ports[0].ContainerPort) {
				fault("%s: its ports are %v, want metrics on %s", p.owner, c.Ports, want)
			}
			probe(p.owner, "startup", c.StartupProbe, "/healthz", fault)
			probe(p.owner, "liveness", c.LivenessProbe, "/healthz", fault)
			probe(p.owner, "readiness", c.ReadinessProbe, "/readyz", fault)
			if l := c.LivenessProbe; l != nil && l.PeriodSeconds*l.FailureThreshold < 30 {
				fault("%s is restarted after %d s, want 30 at least", p.owner, l.PeriodSeconds*l.FailureThreshold)
			}
		}
	}
}

func probe(owner, name string, p *core.Probe, path string, fault reporter) {
	if p == nil || p.HTTPGet == nil {
		fault("%s: want a %s probe over HTTP", owner, name)
		return
	}
	if p.HTTPGet.Path != path {
		fault("%s: the %s probe asks for %s, want %s", owner, name, p.HTTPGet.Path, path)
	}
	if p.HTTPGet.Port.String() != "metrics" {
		fault("%s: the %s probe asks port %s, want metrics", owner, name, p.HTTPGet.Port.String())
	}
}

// What a stop takes beside the grace: how much longer it lasts with a Redis
// that accepts and never answers, and a margin.
const (
	hangingRedis = 8 * time.Second
	margin       = 5 * time.Second
)

// drained: Kubernetes waits for longer than the daemon.
func drained(known settings) func(*fleet, reporter) {
	return func(f *fleet, fault reporter) {
		for _, p := range f.daemons() {
			need := hangingRedis + margin
			if p.daemon == "worker" {
				grace, err := time.ParseDuration(known.value(f, p, "REDPOLL_GRACE"))
				if err != nil {
					fault("%s: grace: %v", p.owner, err)
				}
				need += grace
			}
			var limit time.Duration
			if s := p.template.Spec.TerminationGracePeriodSeconds; s != nil {
				limit = time.Duration(*s) * time.Second
			}
			if limit < need {
				fault("%s is killed %s after the stop, want %s at least", p.owner, limit, need)
			}
			if p.template.Spec.Containers[0].Lifecycle != nil {
				fault("%s: a hook takes from the time to stop", p.owner)
			}
		}
	}
}
