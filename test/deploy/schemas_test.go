//go:build schemas

package deploy

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// The schemas that API servers go by, of the modules that publish them; the
// module proxy or the module cache has them (make test-schemas).
const (
	kubeModule     = "k8s.io/kubernetes@v1.37.2"
	kedaModule     = "github.com/kedacore/keda/v2@v2.21.0"
	operatorModule = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
)

// schema is the part of JSON Schema that both Kubernetes' own definitions and
// those of custom resources use.
type schema struct {
	Ref        string             `json:"$ref"`
	Type       string             `json:"type"`
	Properties map[string]*schema `json:"properties"`
	Additional *schema            `json:"additionalProperties"`
	Items      *schema            `json:"items"`
	Required   []string           `json:"required"`
	Enum       []any              `json:"enum"`
	IntOrText  bool               `json:"x-kubernetes-int-or-string"`
	Open       bool               `json:"x-kubernetes-preserve-unknown-fields"`
	Kinds      []struct {
		Group, Version, Kind string
	} `json:"x-kubernetes-group-version-kind"`
}

// schemas are those of all kinds, by "group/version kind", and what they refer to.
type schemas struct {
	kinds, definitions map[string]*schema
}

// module gives the folder of a module.
func module(t *testing.T, name string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", name)
	cmd.Dir = t.TempDir() // of no module
	out, err := cmd.Output()
	var got struct{ Dir, Error string }
	if jerr := json.Unmarshal(out, &got); jerr != nil || got.Dir == "" {
		t.Fatalf("go mod download %s: %v %s", name, err, got.Error)
	}
	return got.Dir
}

func readSchemas(t *testing.T) *schemas {
	t.Helper()
	s := &schemas{kinds: map[string]*schema{}}
	text, err := os.ReadFile(filepath.Join(module(t, kubeModule), "api/openapi-spec/swagger.json"))
	if err != nil {
		t.Fatal(err)
	}
	var doc struct{ Definitions map[string]*schema }
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	s.definitions = doc.Definitions
	for _, d := range doc.Definitions {
		for _, k := range d.Kinds {
			s.kinds[strings.TrimPrefix(k.Group+"/"+k.Version, "/")+" "+k.Kind] = d
		}
	}
	for name, folder := range map[string]string{kedaModule: "config/crd/bases", operatorModule: "example/prometheus-operator-crd"} {
		files, _ := filepath.Glob(filepath.Join(module(t, name), folder, "*.yaml"))
		if len(files) < 3 {
			t.Fatalf("%s has %d custom resources in %s", name, len(files), folder)
		}
		for _, file := range files {
			s.custom(t, file)
		}
	}
	return s
}

// custom reads the definition of a custom resource.
func (s *schemas) custom(t *testing.T, file string) {
	t.Helper()
	var crd struct {
		Spec struct {
			Group    string
			Names    struct{ Kind string }
			Versions []struct {
				Name   string
				Schema struct {
					OpenAPIV3Schema *schema `json:"openAPIV3Schema"`
				}
			}
		}
	}
	text, err := os.ReadFile(file)
	if err == nil {
		err = yaml.Unmarshal(text, &crd)
	}
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	for _, v := range crd.Spec.Versions {
		d := v.Schema.OpenAPIV3Schema
		d.Properties["metadata"] = &schema{Ref: "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}
		s.kinds[crd.Spec.Group+"/"+v.Name+" "+crd.Spec.Names.Kind] = d
	}
}

// judge gives what is wrong with objects.
func (s *schemas) judge(text string) (looked int, faults []string) {
	for _, doc := range documents(text) {
		var o map[string]any
		if err := yaml.Unmarshal([]byte(doc), &o); err != nil {
			return looked, []string{err.Error()}
		}
		kind := fmt.Sprintf("%v %v", o["apiVersion"], o["kind"])
		d := s.kinds[kind]
		if d == nil {
			faults = append(faults, kind+": no schema knows it")
			continue
		}
		looked++
		s.value(d, o, kind, func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) })
	}
	return looked, faults
}

// value judges a value at a path.
func (s *schemas) value(d *schema, v any, at string, fault reporter) {
	for d.Ref != "" {
		name := strings.TrimPrefix(d.Ref, "#/definitions/")
		if strings.HasSuffix(name, ".IntOrString") || strings.HasSuffix(name, ".Quantity") {
			d = &schema{IntOrText: true}
			break
		}
		d = s.definitions[name]
	}
	if d.IntOrText {
		switch v.(type) {
		case string, float64:
		default:
			fault("%s: %v: want a number or text", at, v)
		}
		return
	}
	if d.Enum != nil && !strings.Contains(fmt.Sprintf("%q", d.Enum), fmt.Sprintf("%q", v)) {
		fault("%s: %v: want one of %v", at, v, d.Enum)
	}
	switch v := v.(type) {
	case map[string]any:
		s.object(d, v, at, fault)
	case []any:
		if d.Type != "array" {
			fault("%s: want %s, got a list", at, d.Type)
			return
		}
		for i, e := range v {
			s.value(d.Items, e, fmt.Sprintf("%s[%d]", at, i), fault)
		}
	default:
		want := map[string]string{"string": "string", "boolean": "bool", "number": "float64", "integer": "float64"}[d.Type]
		if f, ok := v.(float64); d.Type != "" && (fmt.Sprintf("%T", v) != want || ok && d.Type == "integer" && f != float64(int64(f))) {
			fault("%s: want %s, got %v", at, d.Type, v)
		}
	}
}

// object judges a map: what it lacks, and what nobody knows.
func (s *schemas) object(d *schema, v map[string]any, at string, fault reporter) {
	if d.Type != "" && d.Type != "object" {
		fault("%s: want %s, got an object", at, d.Type)
		return
	}
	for _, name := range d.Required {
		if _, ok := v[name]; !ok {
			fault("%s: %s is missing", at, name)
		}
	}
	for name, e := range v {
		switch {
		case d.Properties[name] != nil:
			s.value(d.Properties[name], e, at+"."+name, fault)
		case d.Additional != nil:
			s.value(d.Additional, e, at+"."+name, fault)
		case d.Properties != nil && !d.Open:
			fault("%s: there is no %s", at, name)
		}
	}
}

// TestSchemas: what kustomize renders fits the schemas of Kubernetes, KEDA and
// the Prometheus operator; the chart renders the same, and lanes beside.
func TestSchemas(t *testing.T) {
	all := readSchemas(t)
	lanes, err := helm(t, manyLanes...)
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{"lanes": lanes}
	for _, folder := range overlays {
		texts[folder] = kustomize(t, folder)
	}
	for name, text := range texts {
		looked, faults := all.judge(text)
		for _, f := range faults {
			t.Errorf("%s: %s", name, f)
		}
		t.Logf("%s: %d objects", name, looked)
	}
	text := kustomize(t, keda) + "\n---\n" + lanes
	for _, p := range []struct{ old, new, want string }{
		{"maxReplicaCount: 20", `maxReplicaCount: "20"`, "maxReplicaCount: want integer"},
		{"pollingInterval:", "pollInterval:", "there is no pollInterval"},
		{"containerPort: 9102", "containerPort: 1.5", "containerPort: want integer"},
		{"publishNotReadyAddresses:", "publishNotReady:", "there is no publishNotReady"},
		{"scaleTargetRef:", "scaleTarget:", "scaleTargetRef is missing"},
		{"maxUnavailable: 1", "maxUnavailable: true", "want a number or text"},
		{"kind: PodMonitor", "kind: PodsMonitor", "no schema knows it"},
		{"scalingModifiers:", "scalingModifier:", "there is no scalingModifier"},
		{"formula: lane", "formulas: lane", "there is no formulas"},
		{"target: \"700\"", "target: 700", "target: want string"},
		{"metricType: AverageValue", "metricType: Utilization", "metricType: Utilization: want one of"},
		{"name: lane_fra_1_0", "named: lane_fra_1_0", "there is no named"},
	} {
		if !strings.Contains(text, p.old) {
			t.Errorf("the overlay does not have %q", p.old)
		}
		_, faults := all.judge(strings.ReplaceAll(text, p.old, p.new))
		if !strings.Contains(strings.Join(faults, "\n"), p.want) {
			t.Errorf("%s for %s: no fault %q in %q", p.new, p.old, p.want, faults)
		}
	}
}
