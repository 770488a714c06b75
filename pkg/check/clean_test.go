package check

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCleanTexts(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", MaxText-1)
	tests := []struct{ name, text, want string }{
		{"plain", "3 of 3 answers, 5 ms", "3 of 3 answers, 5 ms"},
		{"letters of all kinds", "größer 大 🦜", "größer 大 🦜"},
		{"lines", "a\nb\r\tc", "a b  c"},
		{"escape sequence", "\x1b[31mred", "\uFFFD[31mred"},
		{"NUL and C1", "a\x00b\u009bc", "a\uFFFDb\uFFFDc"},
		{"direction", "a\u202eb\u2066c\u200fd", "a\uFFFDb\uFFFDc\uFFFDd"},
		{"line separators", "a\u2028b\u2029c", "a\uFFFDb\uFFFDc"},
		{"not UTF-8", "a\xffb", "a\uFFFDb"},
		{"as long as may be", long + "y", long + "y"},
		{"cut", long + "yz", long + "y"},
		{"cut between letters", long + "ä", long},
		{"cut after mending", strings.Repeat("\xff", MaxText), strings.Repeat("\uFFFD", MaxText/3)},
		{"far too long", strings.Repeat("大", 10*MaxText), strings.Repeat("大", MaxText/3)},
	}
	for _, tt := range tests {
		r := Result{Text: tt.text, Metrics: []Metric{}}
		if dropped := r.Clean(); r.Text != tt.want || dropped != nil {
			t.Errorf("%s: Clean(%.60q) = %.60q (%d bytes), want %.60q (%d bytes)", tt.name, tt.text, r.Text, len(r.Text), tt.want, len(tt.want))
		}
	}
}

func TestCleanMetrics(t *testing.T) {
	t.Parallel()
	bad := []Metric{
		Gauge("a", 1, "seconds"), Gauge("", 1, ""), Gauge("a b", 1, ""), Gauge(strings.Repeat("x", 65), 1, ""),
		Gauge("nan", math.NaN(), ""), Gauge("inf", math.Inf(-1), ""), Gauge("a", 2, ""), Counter("c", 5, 32, "bytes"),
		Counter("d", 5, 7, ""), String("s", "x\ny"), {Name: "odd", Kind: "odd"}, Gauge("u", 1, "per\ncent"), Gauge("z", 3, ""),
	}
	before := append([]Metric(nil), bad...)
	r := Result{State: 77, Reason: "A\nB", Metrics: bad}
	dropped := r.Clean()
	want := []Metric{
		Gauge("a", 1, "seconds"), Counter("c", 5, 32, "bytes"), Counter("d", 5, 64, ""), String("s", "x y"), Gauge("u", 1, "per cent"), Gauge("z", 3, ""),
	}
	if !reflect.DeepEqual(r.Metrics, want) {
		t.Errorf("Metrics = %+v, want %+v", r.Metrics, want)
	}
	if r.State != StateUnknown || r.Reason != "A B" {
		t.Errorf("State %v Reason %q, want UNKNOWN and \"A B\"", r.State, r.Reason)
	}
	if got := fmt.Sprintf("%.4q", dropped); got != `["" "a b" "xxxx" "nan" "inf" "a" "odd"]` {
		t.Errorf("dropped = %s", got)
	}
	for i := range before { // NaN is no equal of NaN
		if before[i].Name != bad[i].Name || before[i].Width != bad[i].Width || before[i].Str != bad[i].Str {
			t.Errorf("the command's own metric %d became %+v", i, bad[i])
		}
	}
	var many Result
	for i := range MaxMetrics + 3 {
		many.Metrics = append(many.Metrics, Gauge(fmt.Sprintf("m%d", i), 1, ""))
	}
	if dropped := many.Clean(); len(many.Metrics) != MaxMetrics || fmt.Sprint(dropped) != "[m256 m257 m258]" {
		t.Errorf("%d metrics stay, %v dropped, want %d and three", len(many.Metrics), dropped, MaxMetrics)
	}
}

func TestCleanCostsNothingWhenClean(t *testing.T) {
	r := Result{Text: "all well", Metrics: []Metric{Gauge("a", 1, "seconds"), Counter("b", 1, 64, ""), String("c", "größer")}}
	if n := testing.AllocsPerRun(100, func() { r.Clean() }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func FuzzClean(f *testing.F) {
	f.Add("text", "REASON", "name", 1.5)
	f.Add("\x1b[0m\u202e\xff", "a\nb", "a b", math.NaN())
	f.Fuzz(func(t *testing.T, text, reason, name string, v float64) {
		r := Result{Text: text, Reason: reason, Metrics: []Metric{Gauge(name, v, reason), String(name, text), String("s", text)}}
		r.Clean()
		for _, s := range []string{r.Text, r.Reason} {
			if !utf8.ValidString(s) || hasControl(s, "") || len(s) > MaxText {
				t.Fatalf("Clean left %q", s)
			}
		}
		again := r
		if dropped := again.Clean(); dropped != nil || !reflect.DeepEqual(r, again) {
			t.Fatalf("Clean twice: %+v, then %+v, %v", r, again, dropped)
		}
	})
}
