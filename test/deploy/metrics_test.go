package deploy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
)

// metrics are those of docs/metrics.md, with their labels; the daemons' own
// tests compare that page with the programs.
type metrics map[string][]string

// foreign are the metrics of others that expressions use.
var foreign = metrics{
	"process_cpu_seconds_total":     nil,
	"process_resident_memory_bytes": nil,
	"redis_memory_used_bytes":       nil, // of redis_exporter
	"redis_memory_max_bytes":        nil,
}

// target are the labels that scraping adds.
var target = []string{"namespace", "pod", "job", "instance", "container", "service", "endpoint"}

var metricRow = regexp.MustCompile("(?m)^\\| `(redpoll_[a-z0-9_]+)(?:\\{([a-z0-9_,]+)\\})?` \\| ([^|]*) \\|")

func readMetrics(t *testing.T) metrics {
	t.Helper()
	known := metrics{}
	for name, labels := range foreign {
		known[name] = labels
	}
	for _, m := range metricRow.FindAllStringSubmatch(read(t, "docs/metrics.md"), -1) {
		labels := strings.Split(m[2], ",")
		if !strings.Contains(m[3], "histogram") {
			known[m[1]] = labels
			continue
		}
		known[m[1]+"_bucket"] = append(slices.Clone(labels), "le")
		known[m[1]+"_sum"], known[m[1]+"_count"] = labels, labels
	}
	if len(known) < 20 {
		t.Fatalf("docs/metrics.md has %d metrics: the test looks in the wrong place", len(known))
	}
	return known
}

// judge gives what is wrong with an expression: a metric that nobody has, a
// label that it does not have, a counter without a rate.
func (m metrics) judge(expr string) (faults []string) {
	tree, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		return []string{fmt.Sprintf("%s: %v", expr, err)}
	}
	fault := func(format string, args ...any) { faults = append(faults, expr+": "+fmt.Sprintf(format, args...)) }
	parser.Inspect(tree, func(n parser.Node, path []parser.Node) error {
		switch n := n.(type) {
		case *parser.VectorSelector:
			m.selector(n, path, fault)
		case *parser.AggregateExpr:
			have := m.labels(n.Expr)
			for _, label := range n.Grouping {
				if !slices.Contains(have, label) {
					fault("there is no label %s to group by", label)
				}
			}
		}
		return nil
	})
	return faults
}

func (m metrics) selector(n *parser.VectorSelector, path []parser.Node, fault reporter) {
	labels, ok := m[n.Name]
	if !ok {
		fault("nobody has the metric %s", n.Name)
		return
	}
	for _, l := range n.LabelMatchers {
		if l.Name != "__name__" && !slices.Contains(labels, l.Name) && !slices.Contains(target, l.Name) {
			fault("%s has no label %s", n.Name, l.Name)
		}
	}
	counter := strings.HasSuffix(n.Name, "_total") || strings.HasSuffix(n.Name, "_bucket")
	rated := slices.ContainsFunc(path, func(p parser.Node) bool {
		c, ok := p.(*parser.Call)
		return ok && slices.Contains([]string{"rate", "increase", "absent"}, c.Func.Name)
	})
	counted := slices.ContainsFunc(path, func(p parser.Node) bool {
		a, ok := p.(*parser.AggregateExpr)
		return ok && a.Op == parser.COUNT
	})
	if counter && !rated && !counted {
		fault("the counter %s has no rate", n.Name)
	}
}

// labels are those that the metrics of an expression have.
func (m metrics) labels(e parser.Expr) []string {
	have := slices.Clone(target)
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		if v, ok := n.(*parser.VectorSelector); ok {
			have = append(have, m[v.Name]...)
		}
		return nil
	})
	return have
}

// TestPlantedExpressions: what is wrong with an expression is found.
func TestPlantedExpressions(t *testing.T) {
	t.Parallel()
	known := readMetrics(t)
	for _, tt := range []struct{ expr, want string }{
		{`max by (zone) (redpoll_overdue_second) > 10`, "nobody has the metric"},
		{`max by (zone) (redpoll_overdue_seconds{state="x"}) > 10`, "has no label state"},
		{`max by (state) (redpoll_overdue_seconds) > 10`, "no label state to group by"},
		{`redpoll_repairs_total > 0`, "has no rate"},
		{`rate(redpoll_check_lateness_seconds[5m])`, "nobody has the metric"},
		{`sum(redpoll_slots`, "unclosed"},
	} {
		if got := strings.Join(known.judge(tt.expr), "\n"); !strings.Contains(got, tt.want) {
			t.Errorf("judge(%s) = %q, want %q", tt.expr, got, tt.want)
		}
	}
	for _, good := range []string{
		`histogram_quantile(0.99, sum by (namespace, le) (rate(redpoll_check_lateness_seconds_bucket[5m]))) > 1`,
		`count(redpoll_dispatched_total{namespace="x"})`,
	} {
		if got := known.judge(good); got != nil {
			t.Errorf("judge(%s) = %q, want nothing", good, got)
		}
	}
}
