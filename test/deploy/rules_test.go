package deploy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// reporter takes a fault that a rule found.
type reporter func(format string, args ...any)

// rule judges what a fleet means.
type rule struct {
	name  string
	judge func(f *fleet, fault reporter)
}

// rules are all of them.
func rules(t *testing.T) []rule {
	known := readSettings(t)
	return []rule{
		{"labels", labelled},
		{"namespaces", namespaced},
		{"selectors", selected},
		{"spread", spread},
		{"workloads", workloads},
		{"restricted", restricted},
		{"ping", pingable},
		{"resources", bounded},
		{"probes", probed(known)},
		{"drain", drained(known)},
		{"settings", configured(known)},
		{"users", enrolled(read(t, "deploy/redis/users.acl"))},
		{"files", filed},
		{"references", referenced},
		{"passwords", passwordless},
		{"budgets", budgeted},
		{"network", guarded},
		{"monitors", monitored},
		{"scale", scaled},
		{"keda", kedaTriggers},
		{"redis", redisKept},
	}
}

// judge gives what the rules find wrong, by rule.
func judge(f *fleet, all []rule) map[string][]string {
	found := map[string][]string{}
	for _, r := range all {
		r.judge(f, func(format string, args ...any) {
			found[r.name] = append(found[r.name], f.name+": "+fmt.Sprintf(format, args...))
		})
	}
	return found
}

// TestManifests: what kustomize renders is read strictly and obeys the rules.
func TestManifests(t *testing.T) {
	t.Parallel()
	all := rules(t)
	for _, folder := range overlays {
		t.Run(folder, func(t *testing.T) {
			t.Parallel()
			f, faults := decode(folder, kustomize(t, folder))
			for _, fault := range faults {
				t.Error(fault)
			}
			for _, list := range judge(f, all) {
				for _, fault := range list {
					t.Error(fault)
				}
			}
		})
	}
}

// usual are the labels that every object has.
var usual = []string{"app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/part-of", "app.kubernetes.io/managed-by"}

func labelled(f *fleet, fault reporter) {
	seen := map[string]bool{}
	for _, o := range f.all {
		id := f.kinds[o] + " " + o.GetName()
		if seen[id] {
			fault("%s is there twice", id)
		}
		seen[id] = true
		for _, name := range usual {
			if o.GetLabels()[name] == "" {
				fault("%s has no label %s", id, name)
			}
		}
	}
	for _, p := range f.pods() {
		for _, name := range append(slices.Clone(usual), "app.kubernetes.io/component") {
			if p.template.Labels[name] == "" {
				fault("pods of %s have no label %s", p.owner, name)
			}
		}
	}
}

// namespaced: a fleet is in one namespace, which holds its pods to the standard
// that they keep.
func namespaced(f *fleet, fault reporter) {
	spaces := map[string]bool{}
	for _, o := range f.all {
		if f.kinds[o] != "Namespace" {
			spaces[o.GetNamespace()] = true
		}
	}
	if len(spaces) != 1 {
		fault("objects are in the namespaces %q, want one", slices.Sorted(maps.Keys(spaces)))
	}
	for _, n := range f.namespaces {
		if !spaces[n.Name] {
			fault("namespace %s has no objects", n.Name)
		}
		want := "restricted"
		if f.name == netRaw {
			want = "privileged"
		}
		if got := n.Labels["pod-security.kubernetes.io/enforce"]; got != want {
			fault("namespace %s enforces Pod Security %q, want %s", n.Name, got, want)
		}
	}
}

// matches says whether a selector takes labels; one that is empty or bad takes
// none here.
func matches(s *meta.LabelSelector, set map[string]string) bool {
	sel, err := meta.LabelSelectorAsSelector(s)
	return err == nil && !sel.Empty() && sel.Matches(labels.Set(set))
}

// takes lists the workloads whose pods a selector takes.
func (f *fleet) takes(s *meta.LabelSelector) (owners []string) {
	for _, p := range f.pods() {
		if matches(s, p.template.Labels) {
			owners = append(owners, p.owner)
		}
	}
	return owners
}

// selected: every selector takes the pods of exactly one workload.
func selected(f *fleet, fault reporter) {
	one := func(who string, s *meta.LabelSelector) {
		if got := f.takes(s); len(got) != 1 {
			fault("the selector of %s takes the pods of %q, want one workload", who, got)
		}
	}
	for _, p := range f.pods() {
		if p.selector == nil {
			continue // a Job has its own
		}
		one(p.owner, p.selector)
		if !matches(p.selector, p.template.Labels) {
			fault("%s does not select its own pods", p.owner)
		}
	}
	for _, b := range f.budgets {
		one("PodDisruptionBudget "+b.Name, b.Spec.Selector)
	}
	for _, n := range f.policies {
		one("NetworkPolicy "+n.Name, &n.Spec.PodSelector)
	}
	for _, s := range f.services {
		one("Service "+s.Name, &meta.LabelSelector{MatchLabels: s.Spec.Selector})
	}
	for _, m := range f.podMonitors {
		one("PodMonitor "+m.Name, &m.Spec.Selector)
	}
	for _, m := range f.svcMonitors {
		found := 0
		for _, s := range f.services {
			if matches(&m.Spec.Selector, s.Labels) {
				found++
			}
		}
		if found != 1 {
			fault("ServiceMonitor %s takes %d services, want one", m.Name, found)
		}
	}
}

// spread: the pods of a daemon are kept apart, and of one revision at a time,
// but never left without a node for it.
func spread(f *fleet, fault reporter) {
	for _, p := range f.daemons() {
		keys := map[string]bool{}
		for _, c := range p.template.Spec.TopologySpreadConstraints {
			keys[c.TopologyKey] = true
			if c.MaxSkew != 1 || c.WhenUnsatisfiable != "ScheduleAnyway" {
				fault("%s: spread over %s: want maxSkew 1 and ScheduleAnyway", p.owner, c.TopologyKey)
			}
			if !matches(c.LabelSelector, p.template.Labels) {
				fault("%s: spread over %s counts other pods", p.owner, c.TopologyKey)
			}
			if !slices.Contains(c.MatchLabelKeys, "pod-template-hash") {
				fault("%s: spread over %s counts old revisions", p.owner, c.TopologyKey)
			}
		}
		for _, key := range []string{"topology.kubernetes.io/zone", "kubernetes.io/hostname"} {
			if !keys[key] {
				fault("%s is not spread over %s", p.owner, key)
			}
		}
		if a := p.template.Spec.Affinity; a != nil && a.PodAntiAffinity != nil {
			if len(a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution) > 0 {
				fault("%s: a required anti-affinity blocks rollouts of small clusters", p.owner)
			}
			for _, term := range a.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution {
				if !matches(term.PodAffinityTerm.LabelSelector, p.template.Labels) {
					fault("%s: its anti-affinity is about other pods", p.owner)
				}
			}
		}
	}
}

// workloads: there are schedulers and workers, at least two of each, and a
// rollout never has fewer.
func workloads(f *fleet, fault reporter) {
	there := map[string]bool{}
	for _, d := range f.deployments {
		there[d.Name] = true
		if r := d.Spec.Replicas; r != nil && *r < 2 {
			fault("%s has %d replicas, want two at least", d.Name, *r)
		}
		if u := d.Spec.Strategy.RollingUpdate; u == nil || u.MaxUnavailable == nil || u.MaxUnavailable.String() != "0" {
			fault("%s: a rollout takes pods away before others are ready", d.Name)
		}
	}
	for _, p := range f.daemons() {
		if want := p.daemon; !strings.HasSuffix(p.owner, "-"+want) {
			fault("%s runs a %s", p.owner, want)
		}
		delete(there, strings.TrimPrefix(p.owner, "Deployment "))
	}
	if len(f.daemons()) != 2 || len(there) > 0 {
		fault("want one Deployment of schedulers and one of workers, nothing else; others: %q", slices.Sorted(maps.Keys(there)))
	}
}
