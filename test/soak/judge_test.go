package main

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// samples makes a series of six hours, a sample a minute, with noise of a part
// of the base and a growth over all.
func samples(name string, base, noise, growth float64) *series {
	s := &series{}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 360 {
		part := float64(i) / 360
		v := base + base*noise*(random.Float64()-0.5) + growth*part
		if i%50 == 49 {
			v += base // an outlier
		}
		s.add(time.Duration(i)*time.Minute, map[string]float64{
			name: v, "results": float64(i) * 60 * 200, "rate": 200, "other": float64(i * i),
		})
	}
	return s
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	for _, tt := range []struct {
		name                string
		base, noise, growth float64
		grows               bool
	}{
		{"worker1 rss", 40 * mib, 0.2, 0, false},
		{"worker1 rss", 40 * mib, 0.2, 5 * mib, false},
		{"worker1 rss", 40 * mib, 0.2, 20 * mib, true},
		{"worker1 goroutines", 60, 0.5, 0, false},
		{"worker1 goroutines", 60, 0.5, 100, true},
		{"scheduler2 fds", 20, 0.1, 1, false},
		{"scheduler2 fds", 20, 0.1, 30, true},
		{"stream results", 100_000, 0.001, 100, false},
		{"stream results", 100_000, 0.001, 10_000, true},
		{"hash runs", 1000, 0, 100, true},
		{"redis used_memory", 100 * mib, 0.02, 20 * mib, true},
		{"redis used_memory", 100 * mib, 0.02, -20 * mib, false},
	} {
		var out bytes.Buffer
		err := verdict(samples(tt.name, tt.base, tt.noise, tt.growth), &out)
		if (err != nil) != tt.grows || tt.grows && !strings.Contains(err.Error(), tt.name) || strings.Contains(out.String(), "other") {
			t.Errorf("%s growing by %.0f of %.0f: verdict %v\n%s", tt.name, tt.growth, tt.base, err, out.String())
		}
	}
}

// TestVerdictOnWork: a fleet that does nothing is flat too.
func TestVerdictOnWork(t *testing.T) {
	t.Parallel()
	s := samples("worker1 rss", 1<<25, 0, 0)
	for i := range s.rows {
		s.rows[i]["results"] = float64(i) * 60 * 100
	}
	if err := verdict(s, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "results, want about") {
		t.Errorf("verdict on half of the work = %v", err)
	}
	s.rows, s.at = s.rows[:10], s.at[:10]
	if err := verdict(s, &bytes.Buffer{}); err == nil {
		t.Error("a verdict on ten samples")
	}
}

func TestCSV(t *testing.T) {
	t.Parallel()
	s := samples("worker1 rss", 1<<25, 0.1, 1<<30)
	var file bytes.Buffer
	part := &series{names: s.names}
	for i := range s.rows {
		part.add(s.at[i], s.rows[i])
		if err := part.write(&file); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "x.csv")
	if err := os.WriteFile(path, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := readSeries(path)
	if err != nil || len(got.rows) != 360 || got.rows[7]["worker1 rss"] != s.rows[7]["worker1 rss"] || got.at[7] != s.at[7] {
		t.Fatalf("readSeries() = %v, %v", got, err)
	}
	var a, b bytes.Buffer
	if verdict(s, &a) == nil || verdict(got, &b) == nil || a.String() != b.String() {
		t.Errorf("verdicts differ:\n%s\n%s", a.String(), b.String())
	}
}

func TestSums(t *testing.T) {
	t.Parallel()
	got, err := sums(strings.NewReader("# HELP x y\nx{a=\"1\"} 2\nx{a=\"b c\"} 3\ny 1.5e+06\n\n"))
	if err != nil || got["x"] != 5 || got["y"] != 1.5e6 || len(got) != 2 {
		t.Errorf("sums() = %v, %v", got, err)
	}
	if got := infoField("# Memory\r\nused_memory:123\r\nused_memory_human:1K\r\n", "used_memory"); got != 123 {
		t.Errorf("infoField() = %v", got)
	}
}
