package plugin

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands/internal/proc"
)

// show writes metrics shortly: name=value and unit.
func show(ms []check.Metric) string {
	var parts []string
	for _, m := range ms {
		switch {
		case m.Kind == check.KindCounter:
			parts = append(parts, fmt.Sprintf("%s=%dc", m.Name, m.Count))
		default:
			parts = append(parts, fmt.Sprintf("%s=%.10g%s", m.Name, m.Value, m.Unit))
		}
	}
	return strings.Join(parts, " ")
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, perf, want string }{
		{"none", "", ""},
		{"plain", "users=3", "users=3"},
		{"seconds", "time=0.5s;1;2;0;10", "time_seconds=0.5seconds time_warn_seconds=1seconds time_crit_seconds=2seconds time_min_seconds=0seconds time_max_seconds=10seconds"},
		{"milliseconds", "rta=250ms;500", "rta_seconds=0.25seconds rta_warn_seconds=0.5seconds"},
		{"microseconds", "t=5us", "t_seconds=5e-06seconds"},
		{"percent", "pl=12%;20;60", "pl_percent=12percent pl_warn_percent=20percent pl_crit_percent=60percent"},
		{"bytes", "size=2KB", "size_bytes=2048bytes"},
		{"megabytes with thresholds", "/=3MB;4;5", "root_bytes=3145728bytes root_warn_bytes=4194304bytes root_crit_bytes=5242880bytes"},
		{"counter", "ifInOctets=18446744073709551615c", "ifInOctets=18446744073709551615c"},
		{"a counter with a fraction", "n=1.5c", "n=1.5"},
		{"another unit", "temp=21.5C", "temp=21.5C"},
		{"negative", "a=-1.5;-3:;~:7", "a=-1.5 a_warn_low=-3 a_crit=7"},
		{"ranges", "a=1;10:20;@5:6", "a=1 a_warn_low=10 a_warn=20 a_crit_from=5 a_crit_to=6"},
		{"open ranges", "a=1;5:;~:9", "a=1 a_warn_low=5 a_crit=9"},
		{"exponents", "a=1e3 b=1.5E-2s", "a=1000 b_seconds=0.015seconds"},
		{"quoted label", "'a b'=1 'it''s = it'=2", "a_b=1 it_s_it=2"},
		{"undetermined", "a=U b=2", "b=2"},
		{"odd thresholds", "a=1;x;9:1;;", "a=1"},
		{"rubbish between", "a=1 rubbish =5 x'y=3 b=2 c= d=;1 e=zz f=0x10 g=inf h=nan i=1_0 j=1,5", "a=1 b=2 f=0x10 i=1_0"},
		{"a quote that never ends", "a=1 'b=2 c=3", "a=1 c=3"},
		{"twice", "a=1 a=2 'a!'=3", "a=1 a_2=2 a_3=3"},
		{"unit in the label", "time_seconds=2s", "time_seconds=2seconds"},
		{"no letters", "'///'=1", "value=1"},
		{"umlauts", "'Größe'=1", "Gr_e=1"},
		{"too large", "a=1e999 b=1", "b=1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := show(metrics(tt.perf)); got != tt.want {
				t.Errorf("metrics(%q) = %s, want %s", tt.perf, got, tt.want)
			}
		})
	}
	many := metrics(strings.Repeat("a=1;2;3 ", 1000))
	if len(many) != check.MaxMetrics || many[255].Name != "a_256" {
		t.Errorf("%d metrics, the last is %s, want %d, values before thresholds", len(many), many[255].Name, check.MaxMetrics)
	}
}

func TestSplit(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, stdout, stderr, text, perf string }{
		{"text alone", "OK - fine\n", "", "OK - fine", ""},
		{"with data", "OK - fine | a=1\n", "", "OK - fine", "a=1"},
		{"without newline", "OK|a=1", "", "OK", "a=1"},
		{"all parts", "OK | a=1\nlong\ntext | b=2\nc=3\n", "", "OK", "a=1 b=2 c=3"},
		{"data in the long part only", "OK\nlong | b=2", "", "OK", "b=2"},
		{"windows", "OK | a=1\r\nlong\r\n", "", "OK", "a=1"},
		{"blank lines first", "\n\n OK\n", "", "OK", ""},
		{"only stderr", "", "cannot connect\nmore", "cannot connect", ""},
		{"both", "OK", "warning", "OK", ""},
		{"nothing", "", "", "no output", ""},
		{"only data", "| a=1", "", "no output", "a=1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text, perf := split(proc.Output{Stdout: []byte(tt.stdout), Stderr: []byte(tt.stderr)})
			if perf = strings.Join(strings.Fields(perf), " "); text != tt.text || perf != tt.perf {
				t.Errorf("split(%q) = %q, %q, want %q, %q", tt.stdout, text, perf, tt.text, tt.perf)
			}
		})
	}
	// The cut may have gone through a number.
	if _, perf := split(proc.Output{Stdout: []byte("OK | a=1 b=12"), Cut: true}); strings.TrimSpace(perf) != "a=1" {
		t.Errorf("data of an output that was cut = %q, want a=1", perf)
	}
}

func FuzzMetrics(f *testing.F) {
	for _, seed := range []string{
		"a=1;2;3;4;5", "'a b'=1.5ms;@1:2;~:3", "'it''s'=1e5c", "/=U;;", "a=1 'b", "a==;;;;;;", "'='=5%", "a=1e308KB;1e308", "x=+.5.;-",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		res := check.Result{Metrics: metrics(text)}
		before := len(res.Metrics)
		seen := map[string]bool{}
		for _, m := range res.Metrics {
			seen[m.Name] = true
		}
		res.Clean()
		if len(res.Metrics) != len(seen) {
			t.Errorf("metrics(%q): of %d metrics with %d names only %d are fit: %v", text, before, len(seen), len(res.Metrics), res.Metrics)
		}
	})
}

func FuzzResult(f *testing.F) {
	f.Add("OK | a=1\nb | c=2\n", 0, false)
	f.Add("\x00\xff|'", 3, true)
	f.Fuzz(func(t *testing.T, text string, code int, cut bool) {
		res := result(time.Now(), proc.Output{Stdout: []byte(text), Code: code, Cut: cut})
		if (res.State == check.StateOK) != (code == 0) || (res.Reason == "") != (code == 0) || res.Text == "" {
			t.Errorf("result(%q, %d) = %+v", text, code, res)
		}
	})
}
