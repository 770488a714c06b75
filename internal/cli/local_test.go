package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redpoll/redpoll/internal/peertest"
	"github.com/redpoll/redpoll/pkg/check"
)

// call runs redpoll in this process.
func call(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = Main(t.Context(), args, Streams{
		Version: "test", Getenv: func(string) string { return "" }, Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs,
	})
	return code, out.String(), errs.String()
}

// TestLocalRates: counters have rates when a run knows the one before it.
func TestLocalRates(t *testing.T) {
	t.Parallel()
	port := peertest.StartSnmpd(t, "rocommunity public 127.0.0.1\n")
	file := filepath.Join(t.TempDir(), "last.json")
	run := func(more ...string) (res check.Result) {
		t.Helper()
		code, stdout, stderr := call(t, "", append([]string{
			"run", "--local", "snmp", "-o", "json", "host=127.0.0.1", fmt.Sprintf("port=%d", port), `oids=[{"oid":"1.3.6.1.2.1.11.1.0","name":"packets"}]`,
		}, more...)...)
		if err := json.Unmarshal([]byte(stdout), &res); err != nil || code != 0 {
			t.Fatalf("run --local %q ends with %d, %v\n%s%s", more, code, err, stdout, stderr)
		}
		return res
	}
	rate := func(res check.Result) float64 {
		m, _ := res.Metric("packets_per_second")
		return m.Value
	}
	if res := run(); rate(res) != 0 || len(res.Metrics) == 0 {
		t.Errorf("one run = %+v, want no rate", res)
	}
	first := run("--last", file)
	if rate(first) != 0 {
		t.Errorf("a first run = %+v, want no rate", first)
	}
	if res := run("--twice", "0.7"); rate(res) <= 0 { // and what is kept gets older
		t.Errorf("two runs = %+v, want a rate", res)
	}
	// What is kept may stand as redpoll describe prints it.
	kept, err := readLast(file)
	if err != nil || !kept.At.Equal(first.At) {
		t.Fatalf("%s holds %+v, %v", file, kept, err)
	}
	text, err := json.Marshal(map[string]any{"id": "x", "state": "", "last": kept})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if res := run("--last", file); rate(res) <= 0 {
		t.Errorf("a second run = %+v, want a rate", res)
	}
	if again, err := readLast(file); err != nil || !again.At.After(first.At) {
		t.Errorf("%s holds %+v, %v, want the second run", file, again, err)
	}
}

func TestLocalPause(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"": 0, "10": 10 * time.Second, "0.5": 500 * time.Millisecond, "1m30s": 90 * time.Second, "1h": time.Hour,
		"0": -1, "-3s": -1, "61m": -1, "soon": -1,
	} {
		got, err := (&localOptions{twice: text}).pause()
		if want < 0 && err == nil || want >= 0 && (got != want || err != nil) {
			t.Errorf("pause of --twice %q = %s, %v, want %s", text, got, err, want)
		}
	}
}

// TestLocalWords: how the arguments name the check.
func TestLocalWords(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args, id, command string
	}{
		{"tcp", "local", "tcp"},
		{"tcp host=a", "local", "tcp"},
		{"web1 tcp", "web1", "tcp"},
		{"web1 tcp host=a", "web1", "tcp"},
		{"web1 own_command host=a", "web1", "own_command"},
		{"ping tcp", "ping", "tcp"},
		{"tcp host", "", ""}, // a param without a value, no check called tcp
		{"a b c", "", ""},
		{"w@b tcp", "", ""},
	} {
		c, err := new(localOptions).typedCheck("", strings.Fields(tt.args))
		switch {
		case tt.id == "" && err == nil:
			t.Errorf("check of %q = %s, want an error", tt.args, c.Text())
		case tt.id != "" && (err != nil || c.ID != tt.id || c.Command != tt.command):
			t.Errorf("check of %q = %+v, %v, want %s %s", tt.args, c, err, tt.id, tt.command)
		}
	}
}

// TestLocalExitCodes: every mistake is UNKNOWN, whatever the verb run says
// otherwise.
func TestLocalExitCodes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args, stdin string
		want        int
	}{
		{"run --local tcp host=127.0.0.1 port=1", "", 2},
		{"run --local", "", 3},
		{"run --local", "{", 3},
		{"run --local", "[]", 3},
		{"run --local", `{"params":{}}`, 3},
		{"run --local", `{"command":"tcp","params":{"host":"127.0.0.1","port":1}}`, 2},
		{"run --local", `{"command":"tcp","params":{"host":"127.0.0.1","port":1}} {"command":"ping"}`, 3},
		{"run --local -f absent.yaml", "", 3},
		{"run --local -f - a b", "{}", 3},
		{"run --local tcp --timeout soon", "", 3},
		{"run --local -f - --timeout 1h", `{"command":"tcp","params":{"host":"127.0.0.1","port":1}}`, 3},
		{"run --local --zone Berlin tcp", "", 3},
		{"run", "", 2},
		{"run --last f x", "", 2},
	} {
		code, stdout, stderr := call(t, tt.stdin, strings.Fields(tt.args)...)
		if code != tt.want || (stderr == "") == (stdout == "") {
			t.Errorf("redpoll %s with %q on stdin ends with %d, want %d; it says\n%s%s", tt.args, tt.stdin, code, tt.want, stdout, stderr)
		}
	}
}

func TestGaugeText(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{
		0: "0", 200: "200", 2.99213e-05: "0.0000299213", 7.123456789e-06: "0.00000712346", 0.1234567: "0.123457", 1234567890.4: "1234567890",
		-0.5: "-0.5", 1e-12: "1e-12", 3e20: "3e+20", 100: "100",
	} {
		if got := gaugeText(v); got != want {
			t.Errorf("gaugeText(%g) = %s, want %s", v, got, want)
		}
	}
}
