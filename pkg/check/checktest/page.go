package checktest

import (
	"math"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/redpoll/redpoll/pkg/check"
)

var (
	metricName = regexp.MustCompile(`^[a-zA-Z0-9_.-]{1,64}$`)
	reasonCode = regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`)
	codeSpan   = regexp.MustCompile("`[^`\n]+`")
)

// page is a command's documentation: the words between its backticks.
type page struct {
	path  string
	words map[string]bool
}

func readPage(t *testing.T, path string) page {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("the command's page: %v", err)
	}
	p := page{path: path, words: map[string]bool{}}
	for _, span := range codeSpan.FindAllString(string(text), -1) {
		p.words[strings.Trim(span, "`")] = true
	}
	return p
}

// fields demands that the page has each JSON field of the struct v.
func (p page) fields(t *testing.T, v any) {
	t.Helper()
	if v == nil {
		return
	}
	typ := reflect.TypeOf(v)
	for i := range typ.NumField() {
		f := typ.Field(i)
		if f.Anonymous {
			p.fields(t, reflect.Zero(f.Type).Interface())
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.IsExported() && name != "-" && !p.words[name] {
			t.Errorf("%s does not have the field `%s`", p.path, name)
		}
	}
}

// result demands what holds for every Result.
func (p page) result(t *testing.T, res check.Result, userMetrics bool) {
	t.Helper()
	switch {
	case res.State == check.StateOK && res.Reason != "":
		t.Errorf("an OK result has the reason %s", res.Reason)
	case res.State != check.StateOK && !reasonCode.MatchString(res.Reason):
		t.Errorf("reason = %q, want a code in capitals", res.Reason)
	case res.Reason != "" && !p.words[res.Reason]:
		t.Errorf("%s does not have the reason `%s`", p.path, res.Reason)
	}
	if res.At.IsZero() {
		t.Error("Result.At is not set")
	}
	if len(res.Text) > check.MaxText || !utf8.ValidString(res.Text) || strings.ContainsFunc(res.Text, unicode.IsControl) {
		t.Errorf("text = %.200q, want one line of UTF-8 without control characters, at most %d bytes", res.Text, check.MaxText)
	}
	if len(res.Metrics) > check.MaxMetrics {
		t.Errorf("%d metrics, want at most %d", len(res.Metrics), check.MaxMetrics)
	}
	seen := map[string]bool{}
	for _, m := range res.Metrics {
		if seen[m.Name] {
			t.Errorf("metric %s is there twice", m.Name)
		}
		seen[m.Name] = true
		p.metric(t, m, userMetrics)
	}
}

func (p page) metric(t *testing.T, m check.Metric, userMetrics bool) {
	t.Helper()
	if !metricName.MatchString(m.Name) {
		t.Errorf("metric %q, want a name of %s", m.Name, metricName)
	}
	if !userMetrics && !p.words[m.Name] {
		t.Errorf("%s does not have the metric `%s`", p.path, m.Name)
	}
	if math.IsNaN(m.Value) || math.IsInf(m.Value, 0) {
		t.Errorf("metric %s = %v, want it left out when it cannot be computed", m.Name, m.Value)
	}
	if m.Kind == check.KindCounter && m.Width != 32 && m.Width != 64 {
		t.Errorf("counter %s has width %d, want 32 or 64", m.Name, m.Width)
	}
	if m.Unit != "" && strings.HasSuffix(m.Name, "_seconds") != (m.Unit == "seconds") && !userMetrics {
		t.Errorf("metric %s is in %s, want the unit in the name", m.Name, m.Unit)
	}
}
