package docstest

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

// Sound demands of the metrics that register registers, and gives a value:
// the conventions of Prometheus, a help text of a sentence, and those of want,
// each a name or name{label,...} with all its labels in the order of the
// alphabet.
func Sound(t *testing.T, register func(*prometheus.Registry), want ...string) {
	t.Helper()
	reg := prometheus.NewRegistry()
	register(reg)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("metric %s: %s", p.Metric, p.Text)
	}
	there := map[string]bool{}
	for _, f := range families {
		help := f.GetHelp()
		if len(strings.Fields(help)) < 6 || !strings.HasSuffix(help, ".") {
			t.Errorf("metric %s: its help text %q is no sentence that helps", f.GetName(), help)
		}
		if !strings.HasPrefix(f.GetName(), "redpoll_") {
			t.Errorf("metric %s: want a name that begins with redpoll_", f.GetName())
		}
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		name := f.GetName()
		if len(labels) > 0 {
			name += "{" + strings.Join(labels, ",") + "}"
		}
		there[name] = true
	}
	for _, name := range want {
		if !there[name] {
			t.Errorf("there is no metric %s; there are %v", name, there)
		}
	}
}
