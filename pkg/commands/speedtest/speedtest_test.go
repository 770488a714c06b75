//go:build linux

package speedtest

import (
	"strings"
	"testing"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/check/checktest"
	"github.com/redpoll/redpoll/pkg/commands/internal/speedrun/speedruntest"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
)

const doc = "../../../docs/commands/speedtest.md"

// with makes a factory on a worker whose speedtest is a script.
func with(t *testing.T, script string) check.CommandFactory {
	t.Helper()
	return check.Typed(Defaults(), New(tools.Tools{Plugins: speedruntest.List(t, "speedtest", script)}))
}

func TestConformance(t *testing.T) {
	factory := with(t, `case "$*" in *--server-id=1*) trap '' TERM; sleep 1000;; esac; cat $DATA/result.json`)
	checktest.Command(t, factory, checktest.Case{
		OK: `{}`, Hang: `{"server":"1"}`,
		More: []string{
			`{"download_crit":"1Gb"}`, `{"upload_warn":"50Mb"}`, `{"latency_warn":"1ms"}`, `{"jitter_crit":"100us"}`, `{"loss_warn":1}`,
		},
		Bad: []string{
			`{"server":"a b"}`, `{"server":"x/y"}`, `{"download_warn":"fast"}`, `{"latency_warn":"-1s"}`, `{"loss_warn":"x"}`,
			`{"path":"/bin/sh"}`, `{"command":"x"}`,
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
		{`{"download_warn":"94Mb","upload_warn":"40Mb","latency_warn":"9ms","jitter_warn":"1ms","loss_crit":1.5}`, check.StateOK, ""},
		{`{"download_warn":"95Mb"}`, check.StateWarn, "DOWNSTREAM_THROUGHPUT_LOW"},
		{`{"download_warn":"100Mb","download_crit":"12MB"}`, check.StateCrit, "DOWNSTREAM_THROUGHPUT_LOW"},
		{`{"upload_warn":"41Mb"}`, check.StateWarn, "UPSTREAM_THROUGHPUT_LOW"},
		{`{"upload_crit":"41Mb"}`, check.StateCrit, "UPSTREAM_THROUGHPUT_LOW"},
		// An ancestor compared the upload with the threshold of the download.
		{`{"download_crit":"50Mb"}`, check.StateOK, ""},
		{`{"upload_crit":"39Mb","download_crit":"93Mb"}`, check.StateOK, ""},
		{`{"latency_warn":"8ms"}`, check.StateWarn, "LATENCY_HIGH"},
		{`{"latency_crit":"8ms"}`, check.StateCrit, "LATENCY_HIGH"},
		{`{"jitter_warn":"400us"}`, check.StateWarn, "JITTER_HIGH"},
		{`{"loss_warn":1}`, check.StateWarn, "PKT_LOSS_HIGH"},
		{`{"loss_warn":0,"loss_crit":1.4}`, check.StateCrit, "PKT_LOSS_HIGH"},
		{`{"download_warn":"95Mb","loss_crit":1}`, check.StateCrit, "PKT_LOSS_HIGH"},
	} {
		t.Run(tt.params, func(t *testing.T) {
			t.Parallel()
			res, err := speedruntest.Run(t, factory, tt.params)
			if err != nil || res.State != tt.state || res.Reason != tt.reason {
				t.Errorf("Run = %v, %v, want %v %s", res, err, tt.state, tt.reason)
			}
			const want = "download_bits_per_second=94000000 upload_bits_per_second=40000000 latency_seconds=0.008115 jitter_seconds=0.000423 loss_percent=1.5"
			if got := speedruntest.Show(res.Metrics); got != want {
				t.Errorf("metrics = %s, want %s", got, want)
			}
		})
	}
	res, err := speedruntest.Run(t, with(t, "cat $DATA/log-then-result.json"), `{"loss_crit":1}`)
	const want = "download_bits_per_second=1000000 upload_bits_per_second=500000 latency_seconds=0.04 jitter_seconds=0.002"
	if got := speedruntest.Show(res.Metrics); err != nil || res.State != check.StateOK || got != want {
		t.Errorf("Run without a loss = %v, %v, %s, want %s", res, err, got, want)
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ script, want string }{
		"an error":      {"cat $DATA/error.json; exit 2", "Could not retrieve"},
		"another error": {`echo '{"error":"Cannot open socket"}'; exit 2`, "Cannot open socket"},
		"stderr":        {"echo 'no licence' >&2; exit 1", "no licence"},
		"nothing":       {"exit 0", "no result"},
		"rubbish":       {"echo rubbish", "unreadable"},
		"half":          {"head -c 100 $DATA/result.json", "unreadable"},
		"no download":   {`echo '{"type":"result","ping":{"latency":1},"upload":{"bandwidth":1}}'`, "without download"},
		"failed later":  {"cat $DATA/result.json; exit 1", "no result"},
		"a signal":      {"kill -SEGV $$", "signal"},
		"much output":   {"for i in $(seq 3000); do cat $DATA/error.json; done", "Could not retrieve"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if res, err := speedruntest.Run(t, with(t, tt.script), `{}`); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Run = %v, %v, want an error about %q", res, err, tt.want)
			}
		})
	}
	if res, err := speedruntest.Run(t, check.Typed(Defaults(), New(tools.Tools{})), `{}`); err == nil || !strings.Contains(err.Error(), "-plugins") {
		t.Errorf("Run without a list = %v, %v, want an error that names the flag", res, err)
	}
}

// The program gets a fixed set of arguments, HOME and no shell.
func TestArguments(t *testing.T) {
	t.Parallel()
	factory := with(t, `test "$HOME" = "$(pwd)" && echo "{\"error\":\"$*\"}"`)
	const fixed = "--format=json --progress=no --accept-license --accept-gdpr"
	for params, want := range map[string]string{
		`{}`:                              `"` + fixed + `"`,
		`{"server":"4711"}`:               fixed + " --server-id=4711",
		`{"server":"speed.example.test"}`: fixed + " --host=speed.example.test",
		`{"server":"-x"}`:                 fixed + " --host=-x",
	} {
		if res, err := speedruntest.Run(t, factory, params); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Run(%s) = %v, %v, want the arguments %s", params, res, err, want)
		}
	}
	if res, err := speedruntest.Run(t, factory, `{"server":"169.254.169.254"}`); err == nil || !strings.Contains(err.Error(), "denied") {
		t.Errorf("Run = %v, %v, want an error: the target is denied", res, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"type":"result","ping":{"latency":1},"download":{"bandwidth":1},"upload":{"bandwidth":1}}`))
	f.Add([]byte(`{"type":"log","level":"error","message":"x"}{"error":"y"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := parse(text)
		if err == nil && (m.Download == nil || m.Upload == nil || m.Latency == nil) {
			t.Fatalf("parse(%q) = %+v", text, m)
		}
	})
}
