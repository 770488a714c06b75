package deploy

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// TestOverlaysInPages: an overlay that docs/kubernetes.md shows is one that
// kustomize takes; what it makes obeys the rules, and beside the fleet that is
// there already its selectors take its own pods only.
func TestOverlaysInPages(t *testing.T) {
	t.Parallel()
	blocks := yamlBlock.FindAllStringSubmatch(read(t, "docs/kubernetes.md"), -1)
	if len(blocks) != 3 {
		t.Fatalf("%d overlays found, want that of an image, that of lanes and that of a zone", len(blocks))
	}
	image := overlay(t, blocks[0][1])
	if strings.Contains(image, "image: redpoll:") || strings.Count(image, "image: registry.example.net/monitoring/redpoll:") != 2 {
		t.Error("the first overlay does not change the image")
	}
	overlayOfLanes(t, overlay(t, blocks[1][1]))
	zone := overlay(t, blocks[2][1])
	f, faults := decode("zone", zone)
	for _, fault := range faults {
		t.Error(fault)
	}
	found := judge(f, rules(t))
	if list := found["workloads"]; len(list) != 2 || !strings.Contains(list[0], "redpoll-worker-fra runs a worker") {
		t.Errorf("workloads: %q, want that the name and the schedulers differ", list)
	}
	delete(found, "workloads")
	both, _ := decode("both", kustomize(t, base)+"\n---\n"+zone)
	for _, r := range []rule{{"labels", labelled}, {"selectors", selected}} {
		r.judge(both, func(format string, args ...any) { found[r.name] = append(found[r.name], format) })
	}
	for name, list := range found {
		t.Errorf("%s: %q", name, list)
	}
	if len(f.deployments) != 1 || !strings.Contains(zone, "value: fra\n") {
		t.Error("the third overlay makes no workers of the zone fra alone")
	}
}

// overlayOfLanes: KEDA adds up what the overlay's lanes have to do.
func overlayOfLanes(t *testing.T, text string) {
	t.Helper()
	f, faults := decode(keda, text)
	for _, list := range judge(f, rules(t)) {
		faults = append(faults, list...)
	}
	for _, fault := range faults {
		t.Errorf("the second overlay: %s", fault)
	}
	if len(f.scaledObjects) != 1 || len(f.scaledObjects[0].Spec.Triggers) != 2 {
		t.Fatal("the second overlay has no ScaledObject of two lanes")
	}
	if s := f.scaledObjects[0].Spec; s.Advanced.ScalingModifiers.Formula == "" || s.Advanced.HorizontalPodAutoscalerConfig.Behavior == nil {
		t.Errorf("the second overlay makes %+v, want a sum beside the behavior", s.Advanced)
	}
}

// overlay renders a kustomization that would stand in a folder beside the
// overlays.
func overlay(t *testing.T, text string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	at, err := filepath.Abs(filepath.Join(root, folders, "overlays"))
	if err != nil {
		t.Fatal(err)
	}
	if at, err = filepath.Rel(dir, at); err != nil {
		t.Fatal(err)
	}
	text = strings.NewReplacer("- ../../base", "- "+at+"/../base", "- ../prod", "- "+at+"/prod", "- ../keda", "- "+at+"/keda").Replace(text)
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	res, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		t.Fatal(err)
	}
	out, err := res.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
