package deploy

import (
	"slices"
	"strings"

	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// secrets are those that somebody has to make first: docs/kubernetes.md.
var secrets = []string{"redpoll-redis", "redpoll-check-secrets", "redpoll-keda"}

// referenced: what a pod refers to is rendered with it, or is one of the
// Secrets that are documented, and nothing is rendered for nobody.
func referenced(f *fleet, fault reporter) {
	used := map[string]bool{}
	for _, p := range f.pods() {
		spec := p.template.Spec
		if p.daemon != "" && !slices.ContainsFunc(f.accounts, func(a *core.ServiceAccount) bool { return a.Name == spec.ServiceAccountName }) {
			fault("%s: there is no ServiceAccount %q", p.owner, spec.ServiceAccountName)
		}
		volumes := map[string]bool{}
		for _, v := range spec.Volumes {
			volumes[v.Name] = true
			if v.ConfigMap != nil {
				used[v.ConfigMap.Name] = true
			}
			if v.Secret != nil && !slices.Contains(secrets, v.Secret.SecretName) {
				fault("%s: nobody is told to make the Secret %s", p.owner, v.Secret.SecretName)
			}
		}
		for _, s := range f.stateful {
			for _, c := range s.Spec.VolumeClaimTemplates {
				volumes[c.Name] = volumes[c.Name] || p.owner == "StatefulSet "+s.Name
			}
		}
		for _, c := range spec.Containers {
			for _, m := range c.VolumeMounts {
				if !volumes[m.Name] {
					fault("%s: there is no volume %s", p.owner, m.Name)
				}
			}
			for _, e := range c.EnvFrom {
				if e.ConfigMapRef == nil {
					fault("%s takes its environment from something that is no ConfigMap", p.owner)
					continue
				}
				used[e.ConfigMapRef.Name] = true
			}
		}
	}
	for name := range used {
		if f.config(name) == nil {
			fault("there is no ConfigMap %s", name)
		}
	}
	for _, c := range f.configs {
		if !used[c.Name] && c.Labels["grafana_dashboard"] == "" {
			fault("nobody uses the ConfigMap %s", c.Name)
		}
	}
}

// passwordless: no manifest holds a password, in a variable or in a URL.
func passwordless(f *fleet, fault reporter) {
	judge := func(where, name, value string) {
		if strings.HasSuffix(name, "PASSWORD") {
			fault("%s: %s stands in a manifest", where, name)
		}
		if _, rest, ok := strings.Cut(value, "://"); ok && strings.Contains(strings.Split(rest, "/")[0], "@") {
			fault("%s: %s has a user in its URL", where, name)
		}
	}
	for _, c := range f.configs {
		for k, v := range c.Data {
			if !strings.Contains(k, ".") {
				judge("ConfigMap "+c.Name, k, v)
			}
		}
	}
	for _, p := range f.pods() {
		for _, c := range p.template.Spec.Containers {
			for _, e := range c.Env {
				judge(p.owner, e.Name, e.Value)
			}
			for _, word := range append(slices.Clone(c.Command), c.Args...) {
				if strings.Contains(word, "pass") {
					fault("%s: its arguments have %q", p.owner, word)
				}
			}
		}
	}
}

// budgeted: each daemon has a budget that lets one pod go, and any that is not
// ready, else nothing could be drained while Redis is away.
func budgeted(f *fleet, fault reporter) {
	covered := map[string]bool{}
	for _, b := range f.budgets {
		for _, owner := range f.takes(b.Spec.Selector) {
			covered[owner] = true
		}
		if m := b.Spec.MaxUnavailable; m == nil || *m != intstr.FromInt32(1) || b.Spec.MinAvailable != nil {
			fault("PodDisruptionBudget %s: want maxUnavailable 1", b.Name)
		}
		if u := b.Spec.UnhealthyPodEvictionPolicy; u == nil || *u != "AlwaysAllow" {
			fault("PodDisruptionBudget %s keeps pods that are not ready", b.Name)
		}
	}
	for _, p := range f.daemons() {
		if !covered[p.owner] {
			fault("%s has no PodDisruptionBudget", p.owner)
		}
	}
}

// guarded: each pod that listens has a policy that lets in its port alone;
// nothing keeps a worker from its targets.
func guarded(f *fleet, fault reporter) {
	covered := map[string]bool{}
	for _, n := range f.policies {
		for _, p := range f.pods() {
			if matches(&n.Spec.PodSelector, p.template.Labels) {
				covered[p.owner] = true
				admits(f, n, p, fault)
			}
		}
	}
	for _, p := range f.pods() {
		if len(p.template.Spec.Containers[0].Ports) > 0 && !covered[p.owner] {
			fault("%s has no NetworkPolicy", p.owner)
		}
	}
}

func admits(f *fleet, n *networking.NetworkPolicy, p pod, fault reporter) {
	if !slices.Contains(n.Spec.PolicyTypes, networking.PolicyTypeIngress) {
		fault("NetworkPolicy %s says nothing about who may come in", n.Name)
	}
	if p.daemon != "" && (slices.Contains(n.Spec.PolicyTypes, networking.PolicyTypeEgress) || len(n.Spec.Egress) > 0) {
		fault("NetworkPolicy %s keeps %s from targets", n.Name, p.owner)
	}
	var in, ports []string
	for _, r := range n.Spec.Ingress {
		for _, port := range r.Ports {
			in = append(in, port.Port.String())
		}
		if p.daemon == "" && len(r.From) == 0 {
			fault("NetworkPolicy %s lets everybody in", n.Name)
		}
		for _, from := range r.From {
			if from.PodSelector != nil && from.NamespaceSelector == nil && len(f.takes(from.PodSelector)) == 0 {
				fault("NetworkPolicy %s lets in pods that are not there", n.Name)
			}
		}
	}
	for _, port := range p.template.Spec.Containers[0].Ports {
		ports = append(ports, number(port.ContainerPort))
	}
	if !slices.Equal(in, ports) {
		fault("NetworkPolicy %s lets in %v, %s listens on %v", n.Name, in, p.owner, ports)
	}
}

// monitored: what is scraped is there, and where there is monitoring, each
// daemon is part of it.
func monitored(f *fleet, fault reporter) {
	scraped := map[string]bool{}
	for _, s := range f.services {
		for _, owner := range f.takes(&meta.LabelSelector{MatchLabels: s.Spec.Selector}) {
			for _, port := range s.Spec.Ports {
				if !f.names(owner, port.TargetPort.String()) {
					fault("Service %s: %s has no port %s", s.Name, owner, port.TargetPort.String())
				}
			}
			for _, m := range f.svcMonitors {
				if !matches(&m.Spec.Selector, s.Labels) {
					continue
				}
				for _, e := range m.Spec.Endpoints {
					scraped[owner] = true
					if e.Path != "/metrics" || !slices.ContainsFunc(s.Spec.Ports, func(p core.ServicePort) bool { return p.Name == e.Port }) {
						fault("ServiceMonitor %s asks %s of port %q, which Service %s does not have", m.Name, e.Path, e.Port, s.Name)
					}
				}
			}
		}
	}
	for _, m := range f.podMonitors {
		for _, owner := range f.takes(&m.Spec.Selector) {
			for _, e := range m.Spec.PodMetricsEndpoints {
				scraped[owner] = true
				if e.Path != "/metrics" || e.Port == nil || !f.names(owner, *e.Port) {
					fault("PodMonitor %s asks for something that %s does not have", m.Name, owner)
				}
			}
		}
	}
	for _, p := range f.daemons() {
		if len(f.rules) > 0 && !scraped[p.owner] {
			fault("nobody scrapes %s", p.owner)
		}
	}
}

// names says whether a workload's container has a port of that name.
func (f *fleet) names(owner, port string) bool {
	for _, p := range f.pods() {
		if p.owner == owner {
			return slices.ContainsFunc(p.template.Spec.Containers[0].Ports, func(c core.ContainerPort) bool { return c.Name == port })
		}
	}
	return false
}
