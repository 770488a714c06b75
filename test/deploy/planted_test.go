package deploy

import (
	"strings"
	"testing"
)

// planted is a fault in what is rendered: old becomes new, and the rule says
// want. The rule "types" is the strict reading.
type planted struct{ rule, folder, old, new, want string }

var faults = []planted{
	{"types", base, "periodSeconds: 2", "periodSecond: 2", "unknown field"},
	{"types", base, "topologyKey:", "topologykey:", "unknown field"},
	{"types", base, "terminationGracePeriodSeconds: 45", "terminationGracePeriodSeconds: 45s", "cannot unmarshal"},
	{"types", prod, "minReplicas: 2", "minReplicas: two", "cannot unmarshal"},
	{"types", prod, "podMetricsEndpoints:", "endpoints:", "unknown field"},
	{"types", keda, "maxReplicaCount: 20", "maxReplicaCount: \"20\"", "cannot unmarshal"},
	{"types", base, "kind: ServiceAccount", "kind: ClusterRole", "no test knows"},
	{"labels", base, "app.kubernetes.io/part-of: redpoll\n  name: redpoll-scheduler", "x: z\n  name: redpoll-scheduler", "no label app.kubernetes.io/part-of"},
	{"labels", base, "  name: redpoll-worker\n", "  name: redpoll-scheduler\n", "is there twice"},
	{"namespaces", prod, "  name: redpoll-worker\n  namespace: redpoll\n", "  name: redpoll-worker\n  namespace: other\n", "want one"},
	{"namespaces", demo, "pod-security.kubernetes.io/enforce: restricted", "pod-security.kubernetes.io/enforce: baseline", "want restricted"},
	{"selectors", base, "  selector:\n    matchLabels:\n      app.kubernetes.io/component: worker\n", "  selector:\n    matchLabels:\n      app.kubernetes.io/component: wrker\n", "takes the pods of []"},
	{"selectors", base, "  podSelector:\n    matchLabels:\n      app.kubernetes.io/component: worker\n", "  podSelector:\n    matchLabels:\n", "NetworkPolicy redpoll-worker"},
	{"selectors", prod, "kind: Service\nmetadata:\n  labels:\n    app.kubernetes.io/component: scheduler", "kind: Service\nmetadata:\n  labels:\n    app.kubernetes.io/component: page", "takes 0 services"},
	{"spread", base, "topologyKey: topology.kubernetes.io/zone", "topologyKey: failure-domain.beta.kubernetes.io/zone", "is not spread over topology.kubernetes.io/zone"},
	{"spread", base, "whenUnsatisfiable: ScheduleAnyway", "whenUnsatisfiable: DoNotSchedule", "ScheduleAnyway"},
	{"spread", base, "        - pod-template-hash\n", "        - controller-revision-hash\n", "counts old revisions"},
	{"workloads", base, "  replicas: 2", "  replicas: 1", "want two at least"},
	{"workloads", base, "maxUnavailable: 0", "maxUnavailable: 50%", "before others are ready"},
	{"workloads", base, "- command:\n        - worker", "- command:\n        - scheduler", "runs a scheduler"},
	{"restricted", base, "runAsNonRoot: true", "runAsNonRoot: false", "may run as root"},
	{"restricted", base, "runAsUser: 65532", "runAsUser: 0", "may run as root"},
	{"restricted", base, "runAsGroup: 65532", "runAsGroup: 0", "group root"},
	{"restricted", base, "type: RuntimeDefault", "type: Unconfined", "not RuntimeDefault"},
	{"restricted", base, "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "is writable"},
	{"restricted", base, "allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true", "allowPrivilegeEscalation"},
	{"restricted", base, "            drop:\n            - ALL", "            drop:\n            - MKNOD", "want ALL"},
	{"restricted", base, "            drop:\n", "            add:\n            - NET_RAW\n            drop:\n", "adds the capabilities"},
	{"restricted", base, "      enableServiceLinks: false", "      enableServiceLinks: false\n      hostNetwork: true", "host's namespaces"},
	{"restricted", base, "      automountServiceAccountToken: false", "      automountServiceAccountToken: true", "automount"},
	{"restricted", base, "      enableServiceLinks: false", "      enableServiceLinks: true", "services become variables"},
	{"restricted", base, "defaultMode: 288", "defaultMode: 420", "not 0440"},
	{"restricted", base, "      - emptyDir:\n          sizeLimit: 64Mi\n", "      - hostPath:\n          path: /tmp\n", "not expected"},
	{"restricted", netRaw, "            - NET_RAW", "            - NET_ADMIN", "adds the capabilities"},
	{"restricted", netRaw, "runAsUser: 0", "runAsUser: 65532", "root alone"},
	{"ping", base, "value: 0 65535", "value: 0 2147483647", "has the sysctls"},
	{"ping", base, "net.ipv4.ping_group_range", "net.ipv4.ping_group_rang", "has the sysctls"},
	{"resources", base, "limits:\n            memory: 512Mi", "limits:\n            memory: 64Mi", "more memory than it may have"},
	{"resources", base, "limits:\n            memory: 512Mi", "limits:\n            cpu: 1\n            memory: 512Mi", "CPU is limited"},
	{"resources", base, "limits:\n            memory: 512Mi", "limits: {}", "a limit of memory"},
	{"probes", base, "path: /healthz", "path: /readyz", "want /healthz"},
	{"probes", base, "path: /readyz", "path: /healthz", "want /readyz"},
	{"probes", base, "containerPort: 9102", "containerPort: 9101", "want metrics on 9102"},
	{"probes", base, "            port: metrics", "            port: http", "want metrics"},
	{"probes", base, "periodSeconds: 10", "periodSeconds: 3", "want 30 at least"},
	{"probes", base, "readinessProbe:\n          failureThreshold: 2\n          httpGet:\n            path: /readyz\n            port: metrics\n", "readinessProbe:\n          failureThreshold: 2\n          tcpSocket:\n            port: metrics\n", "over HTTP"},
	{"drain", base, "terminationGracePeriodSeconds: 45", "terminationGracePeriodSeconds: 30", "want 38s at least"},
	{"drain", base, "value: 25s", "value: 60s", "want 1m13s at least"},
	{"drain", base, "terminationGracePeriodSeconds: 30", "terminationGracePeriodSeconds: 5", "want 13s at least"},
	{"settings", base, "name: REDPOLL_ZONES", "name: REDPOLL_ZONE", "does not read REDPOLL_ZONE"},
	{"settings", base, "REDPOLL_LOG_FORMAT:", "REDPOLL_LOGFORMAT:", "does not read REDPOLL_LOGFORMAT"},
	{"settings", prod, "127.0.0.0/8,", "", "does not deny 127.0.0.0/8"},
	{"settings", prod, "rediss://", "redis://", "want TLS"},
	{"settings", base, "fieldPath: metadata.name", "fieldPath: spec.nodeName", "not the name of the pod"},
	{"users", prod, "name: REDPOLL_REDIS_USER\n          value: worker", "name: REDPOLL_REDIS_USER\n          value: scheduler", "no such worker"},
	{"files", base, "/etc/redpoll/handlers.yaml", "/etc/redpoll/handler.yaml", "no volume holds"},
	{"files", prod, "path: ca.crt", "path: ca.pem", "no volume holds"},
	{"files", base, "value: /run/secrets/redpoll/checks", "value: /run/secrets/redpoll", "nothing is mounted"},
	{"references", base, "serviceAccountName: redpoll", "serviceAccountName: default", "no ServiceAccount"},
	{"references", base, "configMapRef:\n            name: redpoll-settings-", "configMapRef:\n            name: redpoll-setting-", "there is no ConfigMap"},
	{"references", prod, "secretName: redpoll-redis", "secretName: redis", "nobody is told"},
	{"references", base, "          name: tmp\n", "          name: temp\n", "there is no volume"},
	{"passwords", base, "redis://redpoll-redis", "redis://:hunter2@redpoll-redis", "has a user in its URL"},
	{"passwords", prod, "        - name: REDPOLL_REDIS_PASSWORD_FILE\n", "        - name: REDPOLL_REDIS_PASSWORD\n", "stands in a manifest"},
	{"budgets", base, "  maxUnavailable: 1\n", "  maxUnavailable: 0\n", "want maxUnavailable 1"},
	{"budgets", base, "unhealthyPodEvictionPolicy: AlwaysAllow", "unhealthyPodEvictionPolicy: IfHealthyBudget", "keeps pods"},
	{"budgets", base, "kind: PodDisruptionBudget", "kind: NoBudget", "has no PodDisruptionBudget"},
	{"network", base, "    - port: 9102", "    - port: 9101", "lets in [9101]"},
	{"network", base, "  policyTypes:\n  - Ingress", "  policyTypes:\n  - Ingress\n  - Egress", "from targets"},
	{"network", demo, "kind: NetworkPolicy", "kind: NoPolicy", "has no NetworkPolicy"},
	{"network", demo, "          - scheduler\n          - worker\n          - first-checks\n", "          - nobody\n", "that are not there"},
	{"network", demo, "    - podSelector:\n        matchExpressions:\n        - key: app.kubernetes.io/component\n          operator: In\n          values:\n          - scheduler\n          - worker\n          - first-checks\n", "", "lets everybody in"},
	{"monitors", prod, "  podMetricsEndpoints:\n  - interval: 15s\n    path: /metrics\n    port: metrics", "  podMetricsEndpoints:\n  - interval: 15s\n    path: /metrics\n    port: http", "does not have"},
	{"monitors", prod, "  endpoints:\n  - interval: 15s\n    path: /metrics\n    port: metrics", "  endpoints:\n  - interval: 15s\n    path: /metrics\n    port: http", "does not have"},
	{"monitors", prod, "kind: PodMonitor", "kind: NoMonitor", "nobody scrapes Deployment redpoll-worker"},
	{"monitors", base, "targetPort: metrics", "targetPort: http", "has no port http"},
	{"scale", prod, "minReplicas: 2", "minReplicas: 0", "two workers at least"},
	{"scale", prod, "kind: Deployment\n    name: redpoll-worker", "kind: Deployment\n    name: redpoll-workers", "which is not there"},
	{"scale", prod, "name: redpoll_slots_used_ratio", "name: redpoll_slots", "want the average of"},
	{"scale", prod, "averageValue: 700m", "averageValue: 700", "no part of the slots"},
	{"scale", keda, "minReplicaCount: 2", "minReplicaCount: 0", "two workers at least"},
	{"scale", keda, "    name: redpoll-worker\n  triggers", "    name: redpoll\n  triggers", "which is not there"},
	{"scale", prod, "spec:\n  revisionHistoryLimit: 3", "spec:\n  replicas: 3\n  revisionHistoryLimit: 3", "each apply undoes"},
	{"keda", keda, "      streamLength: \"700\"", "      streamlength: \"700\"", "has the field streamlength"},
	{"keda", keda, "      streamLength: \"700\"", "      streamLength: \"700\"\n      consumerGroup: workers", "has the field consumerGroup"},
	{"keda", keda, "streamLength: \"700\"", "streamLength: \"5\"", "counts on 5"},
	{"keda", keda, "redpoll:{default:0}:ready", "redpoll:{fra:0}:ready", "the workers serve default"},
	{"keda", keda, "address: redis.example.net:6380", "address: redis.example.org:6380", "the workers"},
	{"keda", keda, "enableTLS: \"true\"", "enableTLS: \"false\"", "TLS false"},
	{"keda", keda, "authenticationRef:\n      name: redpoll-keda", "authenticationRef:\n      name: redpoll", "no TriggerAuthentication"},
	{"keda", keda, "parameter: ca\n", "parameter: caCert\n", "no parameter caCert"},
	{"redis", demo, "noeviction", "allkeys-lru", "noeviction"},
	{"redis", demo, "mountPath: /data", "mountPath: /dat", "on a volume"},
	{"redis", demo, "redis://redpoll-redis:6379/0", "redis://redis:6379/0", "not redpoll-redis:6379"},
}

// TestPlanted: each rule catches its faults, all of them.
func TestPlanted(t *testing.T) {
	t.Parallel()
	all := rules(t)
	caught := map[string]bool{}
	for _, p := range faults {
		text := kustomize(t, p.folder)
		if !strings.Contains(text, p.old) {
			t.Errorf("%s: %s has no %q to spoil", p.rule, p.folder, p.old)
			continue
		}
		f, strict := decode(p.folder, strings.ReplaceAll(text, p.old, p.new))
		found := judge(f, all)
		found["types"] = strict
		if said := strings.Join(found[p.rule], "\n"); !strings.Contains(said, p.want) || said == "" {
			t.Errorf("%s: %s with %q for %q: the rule says %q, want %q", p.rule, p.folder, p.new, p.old, said, p.want)
			continue
		}
		caught[p.rule] = true
	}
	for _, r := range all {
		if !caught[r.name] {
			t.Errorf("no fault is planted for the rule %s", r.name)
		}
	}
}
