package deploy

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	charts "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	"sigs.k8s.io/yaml"
)

const chart = "deploy/helm/redpoll"

// helm renders the chart as "helm template redpoll" does, with the values of
// files in its folder ci, later ones over earlier ones.
func helm(t *testing.T, files ...string) (string, error) {
	t.Helper()
	values := map[string]any{}
	for _, file := range files {
		more := map[string]any{}
		if err := yaml.UnmarshalStrict([]byte(read(t, path.Join(chart, "ci", file))), &more); err != nil {
			t.Fatal(err)
		}
		values = loader.MergeMaps(values, more)
	}
	return helmWith(t, values)
}

var (
	loadChart = sync.OnceValues(func() (*charts.Chart, error) { return loader.Load(filepath.Join(root, chart)) })
	rendering sync.Mutex // of the chart, which is one for all tests
)

// helmWith renders the chart with values.
func helmWith(t *testing.T, values map[string]any) (string, error) {
	t.Helper()
	rendering.Lock()
	defer rendering.Unlock()
	c, err := loadChart()
	if err != nil {
		t.Fatal(err)
	}
	options := common.ReleaseOptions{Name: "redpoll", Namespace: "redpoll", Revision: 1, IsInstall: true}
	all, err := util.ToRenderValues(c, values, options, common.DefaultCapabilities)
	if err != nil {
		return "", err
	}
	files, err := engine.Render(c, all)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if strings.HasSuffix(name, ".yaml") {
			b.WriteString("---\n" + files[name] + "\n")
		}
	}
	return b.String(), nil
}

// kustomizeHash ends the names of what kustomize generates.
var kustomizeHash = regexp.MustCompile(`^(redpoll-(?:settings|handlers))-[a-z0-9]{10}$`)

// own are labels and annotations that say who made an object.
var own = []string{"app.kubernetes.io/managed-by", "helm.sh/chart", "checksum/settings"}

// normal makes objects comparable, whoever rendered them: by kind and name,
// without what only one of the two says of itself, in one order.
func normal(t *testing.T, text string) map[string]any {
	t.Helper()
	objects := map[string]any{}
	for _, doc := range documents(text) {
		var o map[string]any
		if err := yaml.Unmarshal([]byte(doc), &o); err != nil {
			t.Fatalf("%v in\n%s", err, doc)
		}
		if o == nil || o["kind"] == "Namespace" {
			continue // whoever calls helm names it
		}
		o = normalValue("", o).(map[string]any)
		meta := o["metadata"].(map[string]any)
		delete(meta, "namespace")
		objects[fmt.Sprintf("%v %v", o["kind"], meta["name"])] = o
	}
	return objects
}

// normalValue is normal for what stands under key.
func normalValue(key string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		for _, name := range own {
			delete(v, name)
		}
		for k := range v {
			v[k] = normalValue(k, v[k])
			if m, ok := v[k].(map[string]any); ok && len(m) == 0 && k == "annotations" {
				delete(v, k)
			}
		}
	case []any:
		for i := range v {
			v[i] = normalValue(key, v[i])
		}
		slices.SortStableFunc(v, func(a, b any) int { return strings.Compare(nameOf(key, a), nameOf(key, b)) })
	case string:
		if m := kustomizeHash.FindStringSubmatch(v); m != nil {
			return m[1]
		}
		var inner any
		if strings.HasSuffix(key, ".yaml") || strings.HasSuffix(key, ".json") {
			if yaml.Unmarshal([]byte(v), &inner) == nil {
				return inner
			}
		}
	}
	return v
}

// nameOf is what an item of a list is sorted by, where the order means nothing.
func nameOf(key string, item any) string {
	m, ok := item.(map[string]any)
	if !ok {
		return ""
	}
	by := map[string]string{"env": "name", "volumes": "name", "volumeMounts": "name", "secretTargetRef": "parameter"}[key]
	name, _ := m[by].(string)
	return name
}

// differences tells in what two objects differ, by path.
func differences(at string, a, b any) (list []string) {
	if reflect.DeepEqual(a, b) {
		return nil
	}
	switch x := a.(type) {
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok {
			break
		}
		keys := map[string]bool{}
		for k := range x {
			keys[k] = true
		}
		for k := range y {
			keys[k] = true
		}
		for _, k := range slices.Sorted(maps.Keys(keys)) {
			list = append(list, differences(at+"."+k, x[k], y[k])...)
		}
		return list
	case []any:
		if y, ok := b.([]any); ok && len(x) == len(y) {
			for i := range x {
				list = append(list, differences(fmt.Sprintf("%s[%d]", at, i), x[i], y[i])...)
			}
			return list
		}
	}
	one, _ := json.Marshal(a)
	two, _ := json.Marshal(b)
	return []string{fmt.Sprintf("%s: %.300s, want %.300s", at, one, two)}
}

// same are the values with which the chart makes what an overlay makes.
var same = []struct {
	folder string
	files  []string
}{
	{base, nil},
	{prod, []string{"prod.yaml"}},
	{keda, []string{"prod.yaml", "keda.yaml"}},
	{netRaw, []string{"net-raw.yaml"}},
}

// TestChartIsTheOverlays: the chart renders what kustomize renders, all of it,
// so that what the rules say of the one holds for the other.
func TestChartIsTheOverlays(t *testing.T) {
	t.Parallel()
	for _, tt := range same {
		t.Run(tt.folder, func(t *testing.T) {
			t.Parallel()
			text, err := helm(t, tt.files...)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range differences("", normal(t, text), normal(t, kustomize(t, tt.folder))) {
				t.Error(d)
			}
			if _, faults := decode(tt.folder, text); len(faults) > 0 {
				t.Error(faults)
			}
		})
	}
}

// TestDifferencesAreSeen: the comparison is not blind.
func TestDifferencesAreSeen(t *testing.T) {
	t.Parallel()
	text := kustomize(t, keda)
	for _, p := range []struct{ old, new, want string }{
		{"periodSeconds: 10", "periodSeconds: 11", "livenessProbe.periodSeconds"},
		{"value: 25s", "value: 26s", ".env["},
		{"name: REDPOLL_ZONES", "name: REDPOLL_ZONE", ".env["},
		{"handlers.yaml: |", "handler.yaml: |", "handler.yaml"},
		{"changes: true", "changes: false", "handlers.yaml[0].changes"},
		{"kind: PodMonitor", "kind: PodMonitors", "PodMonitor redpoll-worker"},
		{"app.kubernetes.io/component: worker", "app.kubernetes.io/component: workers", "component"},
		{"RedpollOverdue", "RedpollLater", "alert"},
		{"key: ca.crt", "key: ca.pem", "items[1].key"},
	} {
		spoilt := strings.ReplaceAll(text, p.old, p.new)
		if got := strings.Join(differences("", normal(t, spoilt), normal(t, text)), "\n"); !strings.Contains(got, p.want) {
			t.Errorf("with %q for %q: %q, want %q", p.new, p.old, got, p.want)
		}
	}
}

// TestValuesAreChecked: the schema knows every value and refuses others.
func TestValuesAreChecked(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ values, want string }{
		{"{worker: {slot: 5}}", "slot"},
		{"{worker: {slots: many}}", "slots"},
		{"{worker: {replicas: 0}}", "replicas"},
		{"{worker: {ping: raw}}", "ping"},
		{"{worker: {zones: 'A B'}}", "zones"},
		{"{autoscaling: {min: 0}}", "min"},
		{"{autoscaling: {by: cpu}}", "by"},
		{"{redis: {url: 'redis://:hunter2@redis:6379/0'}}", "url"},
		{"{settings: {REDPOLL_REDIS_PASSWORD: hunter2}}", "REDPOLL_REDIS_PASSWORD"},
		{"{settings: {redpoll_zone: x}}", "redpoll_zone"},
		{"{handlers: [{type: log}]}", "handlers"},
		{"{autoscaling: {by: keda}}", "autoscaling.keda.address"},
		{"{monitorin: {enabled: true}}", "monitorin"},
		{"{autoscaling: {keda: {partitions: 3}}}", "partitions"},
		{"{autoscaling: {keda: {partitions: {default: 0}}}}", "partitions/default"},
		{"{autoscaling: {keda: {partitions: {default: 257}}}}", "partitions/default"},
		{"{autoscaling: {by: keda, keda: {address: 'r:6379', partitions: {fra: 2}}}}", "fra is not among worker.zones"},
	} {
		var values map[string]any
		if err := yaml.Unmarshal([]byte(tt.values), &values); err != nil {
			t.Fatal(err)
		}
		if _, err := helmWith(t, values); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("values %s: %v, want %s named", tt.values, err, tt.want)
		}
	}
	var schema, defaults map[string]any
	if err := json.Unmarshal([]byte(read(t, chart+"/values.schema.json")), &schema); err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict([]byte(read(t, chart+"/values.yaml")), &defaults); err != nil {
		t.Fatal(err)
	}
	missing(t, "", schema, defaults)
}

// missing finds what stands in the schema and has no default, so that people
// do not read of it.
func missing(t *testing.T, at string, schema, defaults map[string]any) {
	t.Helper()
	properties, _ := schema["properties"].(map[string]any)
	for name, p := range properties {
		value, ok := defaults[name]
		if !ok && name != "global" && !strings.HasPrefix(at, ".imagePullSecrets") {
			t.Errorf("values.yaml has no %s.%s", at, name)
		}
		if sub, ok := value.(map[string]any); ok {
			missing(t, at+"."+name, p.(map[string]any), sub)
		}
	}
}

// TestChartOptions: what no overlay uses works as well.
func TestChartOptions(t *testing.T) {
	t.Parallel()
	var values map[string]any
	err := yaml.Unmarshal([]byte(`
image: {repository: registry.example.net/redpoll, tag: "1.0"}
imagePullSecrets: [{name: pull}]
settings: {REDPOLL_LOG_LEVEL: debug, REDPOLL_PREFIX: mon}
scheduler: {env: {GOMAXPROCS: "2"}, nodeSelector: {disk: ssd}, tolerations: [{key: a, operator: Exists}], priorityClassName: high}
worker: {zones: "fra,ber", slots: 1000000, ping: none, env: {REDPOLL_LEASE: 1m}, priorityClassName: high}
autoscaling: {by: keda, keda: {address: "r:6379"}}
handlers: []
`), &values)
	if err != nil {
		t.Fatal(err)
	}
	text, err := helmWith(t, values)
	if err != nil {
		t.Fatal(err)
	}
	if _, faults := decode("options", text); len(faults) > 0 {
		t.Error(faults)
	}
	for _, want := range []string{
		"image: registry.example.net/redpoll:1.0\n", "- name: pull\n", `REDPOLL_LOG_LEVEL: "debug"`, "disk: ssd\n", "operator: Exists\n",
		"priorityClassName: high\n", `value: "1000000"`, "name: REDPOLL_LEASE\n", `stream: "mon:{fra:0}:ready"`, `stream: "mon:{ber:0}:ready"`,
		`streamLength: "700000"`, "name: GOMAXPROCS\n", `enableTLS: "false"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the chart does not render %q", want)
		}
	}
	if strings.Contains(text, "sysctls") {
		t.Error("ping: none has sysctls")
	}
}
