package docstest

import (
	"os"
	"regexp"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// descName finds the name in the text of a prometheus.Desc.
var descName = regexp.MustCompile(`fqName: "([^"]+)"`)

// registerer notes the names of what is registered.
type registerer struct{ names map[string]bool }

func (r registerer) Register(c prometheus.Collector) error {
	descs := make(chan *prometheus.Desc)
	go func() {
		defer close(descs)
		c.Describe(descs)
	}()
	for d := range descs {
		if m := descName.FindStringSubmatch(d.String()); m != nil {
			r.names[m[1]] = true
		}
	}
	return nil
}

func (r registerer) MustRegister(all ...prometheus.Collector) {
	for _, c := range all {
		_ = r.Register(c) // gives no error
	}
}

func (registerer) Unregister(prometheus.Collector) bool { return false }

// Metrics demands that page has every metric that register registers, as
// `name` or `name{labels}`.
func Metrics(t *testing.T, page string, register func(prometheus.Registerer)) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	r := registerer{map[string]bool{}}
	register(r)
	if len(r.names) == 0 {
		t.Fatal("nothing was registered")
	}
	for name := range r.names {
		if !regexp.MustCompile("`" + name + "[`{]").Match(text) {
			t.Errorf("%s does not have the metric %s", page, name)
		}
	}
}
