package deploy

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// board is the part of a dashboard that has a meaning for us.
type board struct {
	UID        string `json:"uid"`
	Title      string `json:"title"`
	Templating struct {
		List []struct {
			Name  string `json:"name"`
			Type  string `json:"type"`
			Query string `json:"query"`
		} `json:"list"`
	} `json:"templating"`
	Panels []panel `json:"panels"`
}

type panel struct {
	ID         int                      `json:"id"`
	Title      string                   `json:"title"`
	Type       string                   `json:"type"`
	Datasource struct{ UID string }     `json:"datasource"`
	GridPos    struct{ X, Y, W, H int } `json:"gridPos"`
	Targets    []struct {
		Expr         string `json:"expr"`
		LegendFormat string `json:"legendFormat"`
		RefID        string `json:"refId"`
	} `json:"targets"`
}

var (
	variable    = regexp.MustCompile(`\$\{?([a-zA-Z_]+)\}?`)
	legendLabel = regexp.MustCompile(`\{\{(.*?)\}\}`)
	labelValues = regexp.MustCompile(`^label_values\((\w+), (\w+)\)$`)
)

// judgeBoard gives what is wrong with a dashboard.
func judgeBoard(b board, known metrics) (faults []string) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	vars := map[string]bool{"__rate_interval": true}
	for _, v := range b.Templating.List {
		vars[v.Name] = true
		if v.Type != "query" {
			continue
		}
		if m := labelValues.FindStringSubmatch(v.Query); m == nil || known.judge(fmt.Sprintf("sum by (%s) (%s)", m[2], m[1])) != nil {
			fault("variable %s: %s", v.Name, v.Query)
		}
	}
	ids, cells := map[int]bool{}, map[[2]int]string{}
	for _, p := range b.Panels {
		if ids[p.ID] || p.Title == "" || len(p.Targets) == 0 {
			fault("panel %d %q: its id is taken, or it is empty", p.ID, p.Title)
		}
		ids[p.ID] = true
		if p.Datasource.UID != "${datasource}" {
			fault("%s asks the data source %s", p.Title, p.Datasource.UID)
		}
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := cells[[2]int{x, y}]; other != "" || x >= 24 {
					fault("%s lies over %q or the edge", p.Title, other)
				}
				cells[[2]int{x, y}] = p.Title
			}
		}
		judgePanel(p, vars, known, fault)
	}
	return faults
}

func judgePanel(p panel, vars map[string]bool, known metrics, fault reporter) {
	refs := map[string]bool{}
	for _, tg := range p.Targets {
		if refs[tg.RefID] || tg.RefID == "" {
			fault("%s: two queries are called %q", p.Title, tg.RefID)
		}
		refs[tg.RefID] = true
		for _, m := range variable.FindAllStringSubmatch(tg.Expr, -1) {
			if !vars[m[1]] {
				fault("%s: there is no variable %s", p.Title, m[1])
			}
		}
		if !strings.Contains(tg.Expr, `namespace=~"$namespace"`) {
			fault("%s takes all namespaces: %s", p.Title, tg.Expr)
		}
		for _, f := range known.judge(strings.ReplaceAll(tg.Expr, "$__rate_interval", "5m")) {
			fault("%s: %s", p.Title, f)
		}
		for _, m := range legendLabel.FindAllStringSubmatch(tg.LegendFormat, -1) {
			if !regexp.MustCompile(`by \([^)]*\b` + m[1] + `\b`).MatchString(tg.Expr) {
				fault("%s: the legend has %s, the query has not", p.Title, m[1])
			}
		}
	}
}

// TestDashboard: each panel asks for something that there is, and Grafana finds
// the ConfigMap.
func TestDashboard(t *testing.T) {
	t.Parallel()
	known := readMetrics(t)
	f, _ := decode(prod, kustomize(t, prod))
	c := f.config("redpoll-dashboard")
	if c == nil || c.Labels["grafana_dashboard"] != "1" || len(c.Data) != 1 {
		t.Fatalf("no ConfigMap with one dashboard and the label grafana_dashboard: %v", c)
	}
	text := c.Data["redpoll.json"]
	read := func(text string) board {
		var b board
		if err := json.Unmarshal([]byte(text), &b); err != nil {
			t.Fatal(err)
		}
		return b
	}
	if b := read(text); b.UID != "redpoll" || len(b.Panels) < 10 {
		t.Errorf("dashboard %q with %d panels", b.UID, len(b.Panels))
	}
	for _, fault := range judgeBoard(read(text), known) {
		t.Error(fault)
	}
	for _, p := range []struct{ old, new, want string }{
		{"redpoll_ready_entries", "redpoll_ready", "nobody has the metric"},
		{"[$__rate_interval]", "[$interval]", "no variable interval"},
		{`"x": 12`, `"x": 11`, "lies over"},
		{`"id": 2`, `"id": 1`, "its id is taken"},
		{"{{zone}}", "{{lane}}", "the legend has lane"},
		{"label_values(redpoll_build_info, namespace)", "label_values(redpoll_info, namespace)", "variable namespace"},
		{"${datasource}", "prometheus", "asks the data source"},
		{`namespace=~\"$namespace\"`, `namespace=\"redpoll\"`, "takes all namespaces"},
		{`"refId": "B"`, `"refId": "A"`, "are called"},
	} {
		if got := strings.Join(judgeBoard(read(strings.ReplaceAll(text, p.old, p.new)), known), "\n"); !strings.Contains(got, p.want) {
			t.Errorf("a dashboard with %q for %q: %q, want %q", p.new, p.old, got, p.want)
		}
	}
}

// TestAdapter: the figure of the autoscaler is what the rule of
// prometheus-adapter makes, of metrics that there are.
func TestAdapter(t *testing.T) {
	t.Parallel()
	var list []struct {
		SeriesQuery string `json:"seriesQuery"`
		Resources   struct {
			Overrides map[string]struct {
				Resource string `json:"resource"`
			} `json:"overrides"`
		} `json:"resources"`
		Name struct {
			As string `json:"as"`
		} `json:"name"`
		MetricsQuery string `json:"metricsQuery"`
	}
	if err := yaml.UnmarshalStrict([]byte(read(t, "deploy/monitoring/prometheus-adapter.yaml")), &list); err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 || list[0].Name.As != ratioName || list[0].Resources.Overrides["pod"].Resource != "pod" || list[0].Resources.Overrides["namespace"].Resource != "namespace" {
		t.Fatalf("rules %+v, want one for %s of pods", list, ratioName)
	}
	known := readMetrics(t)
	// What the adapter puts in: <<.LabelMatchers>>, <<.GroupBy>>.
	query := strings.NewReplacer("<<.LabelMatchers>>", `namespace="m",pod=~"w.*"`, "<<.GroupBy>>", "pod").Replace(list[0].MetricsQuery)
	for _, fault := range append(known.judge(list[0].SeriesQuery), known.judge(query)...) {
		t.Error(fault)
	}
	if strings.Contains(query, "<<") {
		t.Errorf("the query has more variables: %s", query)
	}
}
