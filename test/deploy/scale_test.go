package deploy

import (
	"net/url"
	"slices"
	"strconv"
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

// streamFields are the fields of KEDA's trigger redis-streams that fit a look
// at the length of the stream, from its source, version 2.21. KEDA's own type
// takes any, and a wrong one would just not be seen.
var streamFields = []string{"address", "stream", "streamLength", "databaseIndex", "enableTLS"}

// streamParameters are what it takes from a TriggerAuthentication.
var streamParameters = []string{"username", "password", "ca", "cert", "key"}

// kedaTriggers: each trigger looks at the whole of a zone's work, where the
// workers have their Redis.
func kedaTriggers(f *fleet, fault reporter) {
	for _, s := range f.scaledObjects {
		var vars map[string]string
		for _, p := range f.daemons() {
			if p.owner == "Deployment "+s.Spec.ScaleTargetRef.Name {
				vars = variables(f, p.template.Spec.Containers[0])
			}
		}
		if len(s.Spec.Triggers) == 0 {
			fault("ScaledObject %s has no trigger", s.Name)
		}
		for _, tr := range s.Spec.Triggers {
			kedaTrigger(f, tr, vars, fault)
		}
	}
	for _, a := range f.authentication {
		for _, r := range a.Spec.SecretTargetRef {
			if !slices.Contains(streamParameters, r.Parameter) {
				fault("TriggerAuthentication %s: a trigger has no parameter %s", a.Name, r.Parameter)
			}
			if !slices.Contains(secrets, r.Name) || r.Key == "" {
				fault("TriggerAuthentication %s: nobody is told to make the key %q of the Secret %s", a.Name, r.Key, r.Name)
			}
		}
	}
}

func kedaTrigger(f *fleet, tr trigger, vars map[string]string, fault reporter) {
	if tr.Type != "redis-streams" {
		fault("trigger %q: want redis-streams", tr.Type)
	}
	for name := range tr.Metadata {
		if !slices.Contains(streamFields, name) {
			fault("a trigger has the field %s", name)
		}
	}
	at, err := url.Parse(vars["REDPOLL_REDIS"])
	if err != nil || tr.Metadata["address"] != at.Host || tr.Metadata["enableTLS"] != strconv.FormatBool(at.Scheme == "rediss") {
		fault("a trigger asks %s (TLS %s), the workers %v", tr.Metadata["address"], tr.Metadata["enableTLS"], at)
	}
	zone, ok := strings.CutPrefix(tr.Metadata["stream"], "redpoll:{")
	zone, lane, _ := strings.Cut(zone, ":")
	if _, err := strconv.Atoi(strings.TrimSuffix(lane, "}:ready")); !ok || err != nil || !slices.Contains(strings.Split(vars["REDPOLL_ZONES"], ","), zone) {
		fault("a trigger looks at %s, the workers serve %s", tr.Metadata["stream"], vars["REDPOLL_ZONES"])
	}
	each, err := strconv.Atoi(tr.Metadata["streamLength"])
	slots, _ := strconv.Atoi(vars["REDPOLL_SLOTS"])
	if err != nil || each < slots/2 || each >= slots {
		fault("a trigger counts on %d checks for a worker of %d slots", each, slots)
	}
	found := slices.ContainsFunc(f.authentication, func(a *triggerAuthentication) bool { return a.Name == tr.AuthenticationRef.Name })
	if ref := tr.AuthenticationRef.Name; ref != "" && !found {
		fault("there is no TriggerAuthentication %s", ref)
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
