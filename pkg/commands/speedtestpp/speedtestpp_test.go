//go:build linux

package speedtestpp

import (
	"strings"
	"testing"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/check/checktest"
	"github.com/redpoll/redpoll/pkg/commands/internal/speedrun/speedruntest"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
)

const doc = "../../../docs/commands/speedtestpp.md"

// with makes a factory on a worker whose SpeedTest is a script.
func with(t *testing.T, script string) check.CommandFactory {
	t.Helper()
	return check.Typed(Defaults(), New(tools.Tools{Plugins: speedruntest.List(t, "speedtestpp", script)}))
}

func TestConformance(t *testing.T) {
	factory := with(t, `case "$*" in *--test-server*) trap '' TERM; sleep 1000;; esac; cat $DATA/result.json`)
	checktest.Command(t, factory, checktest.Case{
		OK: `{}`, Hang: `{"server":"localhost:1"}`,
		More: []string{`{"download_crit":"1Gb"}`, `{"upload_warn":"50Mb"}`, `{"latency_warn":"1ms"}`, `{"jitter_crit":"100us"}`},
		Bad: []string{
			`{"server":"h"}`, `{"server":"h:0"}`, `{"server":"h:x"}`, `{"server":"-x:80"}`, `{"server":"a b:80"}`, `{"server":":80"}`,
			`{"upload_warn":"fast"}`, `{"jitter_warn":"-1s"}`, `{"loss_warn":1}`, `{"path":"/bin/sh"}`,
		},
		Doc: doc, Defaults: Defaults(),
	})
}

func TestResults(t *testing.T) {
	t.Parallel()
	factory := with(t, "cat $DATA/result.json")
	for _, tt := range []struct {
		params string
		state  check.State
		reason string
	}{
		{`{}`, check.StateOK, ""},
		{`{"download_warn":"94Mb","upload_warn":"40Mb","latency_warn":"8ms","jitter_warn":"2ms"}`, check.StateOK, ""},
		{`{"download_warn":"95Mb"}`, check.StateWarn, "DOWNSTREAM_THROUGHPUT_LOW"},
		{`{"upload_crit":"41Mb"}`, check.StateCrit, "UPSTREAM_THROUGHPUT_LOW"},
		{`{"download_crit":"50Mb"}`, check.StateOK, ""},
		{`{"latency_crit":"7ms"}`, check.StateCrit, "LATENCY_HIGH"},
		{`{"jitter_warn":"1ms"}`, check.StateWarn, "JITTER_HIGH"},
	} {
		t.Run(tt.params, func(t *testing.T) {
			t.Parallel()
			res, err := speedruntest.Run(t, factory, tt.params)
			if err != nil || res.State != tt.state || res.Reason != tt.reason {
				t.Errorf("Run = %v, %v, want %v %s", res, err, tt.state, tt.reason)
			}
			const want = "download_bits_per_second=94000000 upload_bits_per_second=40000000 latency_seconds=0.008 jitter_seconds=0.002"
			if got := speedruntest.Show(res.Metrics); got != want {
				t.Errorf("metrics = %s, want %s", got, want)
			}
		})
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ script, want string }{
		"an error":       {"cat $DATA/error.json; exit 1", "unable to download server list"},
		"stderr":         {"echo 'no network' >&2; exit 1", "no network"},
		"rubbish":        {"echo rubbish", "unreadable"},
		"no upload":      {`echo '{"ping":"1","download":"2"}'`, "without ping, download or upload"},
		"not a number":   {`echo '{"ping":"inf","download":"2","upload":"3"}'`, "no figure"},
		"below zero":     {`echo '{"ping":"-1","download":"2","upload":"3"}'`, "no figure"},
		"failed later":   {"cat $DATA/result.json; exit 1", "no result"},
		"the arguments":  {`echo "{\"error\":\"$*\"}"`, `"--output json"`},
		"endless output": {"yes | head -c 10000000", "unreadable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if res, err := speedruntest.Run(t, with(t, tt.script), `{}`); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Run = %v, %v, want an error about %q", res, err, tt.want)
			}
		})
	}
	factory := with(t, `echo "{\"error\":\"$*\"}"`)
	if res, err := speedruntest.Run(t, factory, `{"server":"localhost:8080"}`); err == nil || !strings.Contains(err.Error(), "--output json --test-server localhost:8080") {
		t.Errorf("Run = %v, %v, want the arguments", res, err)
	}
	if res, err := speedruntest.Run(t, factory, `{"server":"169.254.169.254:80"}`); err == nil || !strings.Contains(err.Error(), "denied") {
		t.Errorf("Run = %v, %v, want an error: the target is denied", res, err)
	}
	if res, err := speedruntest.Run(t, check.Typed(Defaults(), New(tools.Tools{})), `{}`); err == nil || !strings.Contains(err.Error(), "-plugins") {
		t.Errorf("Run without a list = %v, %v, want an error that names the flag", res, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"ping":"1","download":"2","upload":3,"jitter":"1"}`))
	f.Add([]byte(`{"error":"x"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := parse(text)
		if err == nil && (m.Download == nil || m.Upload == nil || m.Latency == nil || *m.Download < 0) {
			t.Fatalf("parse(%q) = %+v", text, m)
		}
	})
}
