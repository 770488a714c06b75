package deploy

import (
	"slices"
	"strings"
)

// ratioName is the figure that deploy/monitoring/prometheus-adapter.yaml gives;
// TestAdapter holds them together.
const ratioName = "redpoll_slots_used_ratio"

// scaled: whatever scales the workers scales what is there, never below two,
// alone, and by a figure that exists.
func scaled(f *fleet, fault reporter) {
	targets := map[string]int{}
	for _, h := range f.scalers {
		ref := h.Spec.ScaleTargetRef
		targets[ref.Kind+" "+ref.Name]++
		if ref.APIVersion != "apps/v1" {
			fault("HorizontalPodAutoscaler %s scales something of %s", h.Name, ref.APIVersion)
		}
		if h.Spec.MinReplicas == nil || *h.Spec.MinReplicas < 2 || h.Spec.MaxReplicas <= *h.Spec.MinReplicas {
			fault("HorizontalPodAutoscaler %s: want two workers at least, and room above", h.Name)
		}
		for _, m := range h.Spec.Metrics {
			if m.Pods == nil || m.Pods.Metric.Name != ratioName || m.Pods.Target.Type != "AverageValue" || m.Pods.Target.AverageValue == nil {
				fault("HorizontalPodAutoscaler %s: want the average of %s", h.Name, ratioName)
			} else if v := m.Pods.Target.AverageValue.AsApproximateFloat64(); v <= 0 || v >= 1 {
				fault("HorizontalPodAutoscaler %s: %v is no part of the slots", h.Name, v)
			}
		}
		if len(h.Spec.Metrics) != 1 {
			fault("HorizontalPodAutoscaler %s has %d figures", h.Name, len(h.Spec.Metrics))
		}
	}
	for _, s := range f.scaledObjects {
		targets["Deployment "+s.Spec.ScaleTargetRef.Name]++
		if m := s.Spec.MinReplicaCount; m == nil || *m < 2 || s.Spec.MaxReplicaCount == nil || *s.Spec.MaxReplicaCount <= *m {
			fault("ScaledObject %s: want two workers at least, and room above", s.Name)
		}
	}
	for _, p := range f.daemons() {
		switch n := targets[p.owner]; {
		case n > 1:
			fault("%s has %d autoscalers", p.owner, n)
		case n == 1 && p.replicas != nil:
			fault("%s has replicas: each apply undoes what its autoscaler did", p.owner)
		case n == 0 && p.replicas == nil:
			fault("%s has neither replicas nor an autoscaler", p.owner)
		}
		delete(targets, p.owner)
	}
	for name := range targets {
		fault("an autoscaler is for %s, which is not there", name)
	}
}

// redisKept: the Redis that comes with the demo never loses a check on its own.
func redisKept(f *fleet, fault reporter) {
	for _, s := range f.stateful {
		words := strings.Join(append(slices.Clone(s.Spec.Template.Spec.Containers[0].Command), s.Spec.Template.Spec.Containers[0].Args...), " ")
		for _, want := range []string{"--appendonly yes", "--appendfsync everysec", "--maxmemory-policy noeviction"} {
			if !strings.Contains(words, want) {
				fault("StatefulSet %s has no %q", s.Name, want)
			}
		}
		if len(s.Spec.VolumeClaimTemplates) != 1 || !mounted(pod{template: s.Spec.Template}, "/data") || !strings.Contains(words, "--dir /data") {
			fault("StatefulSet %s does not keep its data on a volume", s.Name)
		}
		if s.Spec.Replicas == nil || *s.Spec.Replicas != 1 {
			fault("StatefulSet %s: want one Redis", s.Name)
		}
		host := s.Name + ":6379"
		for _, c := range f.configs {
			if u := c.Data["REDPOLL_REDIS"]; u != "" && !strings.Contains(u, "//"+host+"/") {
				fault("the daemons use %s, not %s", u, host)
			}
		}
	}
}
