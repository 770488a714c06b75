package deploy

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// root is the project's folder as the tests see it.
const root = "../.."

// The folders that kustomize renders.
const (
	base    = "base"
	demo    = "overlays/demo"
	prod    = "overlays/prod"
	keda    = "overlays/keda"
	netRaw  = "overlays/net-raw"
	folders = "deploy/kustomize"
)

var overlays = []string{base, demo, prod, keda, netRaw}

// read gives the text of a file of the project.
func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var rendered sync.Map // of folder to text: a render takes its time

// kustomize renders a folder as kubectl kustomize does.
func kustomize(t *testing.T, folder string) string {
	t.Helper()
	if text, ok := rendered.Load(folder); ok {
		return text.(string)
	}
	k := krusty.MakeKustomizer(krusty.MakeDefaultOptions())
	res, err := k.Run(filesys.MakeFsOnDisk(), filepath.Join(root, folders, folder))
	if err != nil {
		t.Fatal(err)
	}
	text, err := res.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	rendered.Store(folder, string(text))
	return string(text)
}

// documents takes a stream of YAML apart.
func documents(text string) (list []string) {
	for _, doc := range strings.Split("\n"+text, "\n---") {
		if strings.TrimSpace(doc) != "" {
			list = append(list, doc)
		}
	}
	return list
}
