//go:build linux

package plugin_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redpoll/redpoll/internal/peertest"
	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/check/checktest"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
	"github.com/redpoll/redpoll/pkg/commands/plugin"
)

const doc = "../../../docs/commands/plugin.md"

// allow makes a factory of a worker whose list is text.
func allow(t *testing.T, text string) check.CommandFactory {
	t.Helper()
	path := filepath.Join(t.TempDir(), "plugins.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	list, err := tools.OpenPlugins(path)
	if err != nil {
		t.Fatal(err)
	}
	return check.Typed(plugin.Defaults(), plugin.New(tools.Tools{Plugins: list}))
}

// scripts is a list with one plugin for each shell script.
func scripts(t *testing.T, texts map[string]string) check.CommandFactory {
	t.Helper()
	dir := peertest.Dir(t) // plugins of a worker that is root run as nobody
	list := "plugins:\n"
	for name, text := range texts {
		path := peertest.Write(t, dir, name, "#!/bin/sh\n"+text+"\n")
		if err := os.Chmod(path, 0o700); err != nil {
			t.Fatal(err)
		}
		list += fmt.Sprintf("  %s:\n    path: %s\n    argv: ['{arg}']\n    args: {arg: {match: '[a-z; $()]*', default: ''}}\n    limits: {processes: 4000}\n", name, path)
	}
	return allow(t, list)
}

func run(t *testing.T, factory check.CommandFactory, params string) check.Result {
	t.Helper()
	cmd, err := factory([]byte(params))
	if err != nil {
		t.Fatalf("params %s: %v", params, err)
	}
	res, err := cmd.Run(t.Context(), check.Run{})
	if err != nil {
		t.Fatalf("Run(%s) = %v", params, err)
	}
	return res
}

func TestConformance(t *testing.T) {
	factory := scripts(t, map[string]string{
		"ok": "echo 'OK | a=1'", "hang": "trap '' TERM; sleep 1000 & wait", "warn": "exit 1", "crit": "exit 2", "unknown": "exit 3",
		"endless": "trap '' TERM; yes",
	})
	checktest.Command(t, factory, checktest.Case{
		OK:   `{"plugin":"ok"}`,
		Hang: `{"plugin":"hang"}`,
		More: []string{`{"plugin":"warn"}`, `{"plugin":"crit"}`, `{"plugin":"unknown"}`},
		Bad: []string{
			`{}`, `{"plugin":"other"}`, `{"plugin":"../ok"}`, `{"plugin":"/bin/sh"}`, `{"plugin":"ok","args":{"x":"y"}}`, `{"plugin":"ok","args":{"arg":"A"}}`,
			`{"plugin":"ok","args":{"arg":"a\nb"}}`, `{"plugin":"ok","args":{"arg":"a\u0000b"}}`, `{"plugin":"ok","path":"/bin/sh"}`, `{"plugin":"ok","args":["a"]}`,
		},
		Doc: doc, Defaults: plugin.Defaults(), UserMetrics: true,
	})
}

func TestResults(t *testing.T) {
	t.Parallel()
	factory := scripts(t, map[string]string{
		"s0": "echo fine; exit 0", "s1": "echo 'so so | a=5s;4;9'; exit 1", "s2": "echo bad; exit 2", "s3": "echo 'who knows' >&2; exit 3",
		"s4": "echo odd; exit 4", "s127": "no-such-program", "segv": "kill -SEGV $$", "nothing": "exit 2",
		"noise": "head -c 5000000 /dev/urandom; exit 0", "arg": `echo "got $# [$1]"`, "control": `printf 'a\033[31mb\342\200\256c\n'`,
	})
	for _, tt := range []struct {
		plugin string
		state  check.State
		reason string
		text   string
	}{
		{"s0", check.StateOK, "", "fine"},
		{"s1", check.StateWarn, "PLUGIN_WARN", "so so"},
		{"s2", check.StateCrit, "PLUGIN_CRIT", "bad"},
		{"s3", check.StateUnknown, "PLUGIN_UNKNOWN", "who knows"},
		{"s4", check.StateUnknown, "PLUGIN_UNKNOWN", "exit code 4: odd"},
		{"s127", check.StateUnknown, "PLUGIN_UNKNOWN", "not found"},
		{"segv", check.StateUnknown, "PLUGIN_UNKNOWN", "ended by a signal"},
		{"nothing", check.StateCrit, "PLUGIN_CRIT", "no output"},
		{"noise", check.StateOK, "", ""},
		{"control", check.StateOK, "", "c"},
	} {
		t.Run(tt.plugin, func(t *testing.T) {
			t.Parallel()
			res := run(t, factory, fmt.Sprintf(`{"plugin":%q}`, tt.plugin))
			if res.State != tt.state || res.Reason != tt.reason || !strings.Contains(res.Text, tt.text) {
				t.Errorf("Run(%s) = %v %s %q, want %v %s %q", tt.plugin, res.State, res.Reason, res.Text, tt.state, tt.reason, tt.text)
			}
			if strings.ContainsAny(res.Text, "\x1b\u202e\n") || len(res.Text) > check.MaxText {
				t.Errorf("text = %.300q", res.Text)
			}
		})
	}
	// No shell looks at an argument.
	if res := run(t, factory, `{"plugin":"arg","args":{"arg":"a; $(id)"}}`); res.Text != "got 1 [a; $(id)]" {
		t.Errorf("text = %q, want one argument as it is", res.Text)
	}
}

// Whatever a plugin does, it ends with the check's time, and the check knows.
func TestTimeouts(t *testing.T) {
	t.Parallel()
	dir := peertest.Dir(t)
	list := "plugins:\n"
	for name, text := range map[string]string{
		"sleeps": "exec sleep 1000", "ignores": "trap '' TERM INT HUP; while :; do sleep 1; done", "endless": "yes", "spins": "while :; do :; done",
		"grandchildren": "(sleep 1000 & sleep 1000) & sleep 1000", "stdin": "cat; sleep 1000",
	} {
		path := peertest.Write(t, dir, name, "#!/bin/sh\n"+text+"\n")
		if err := os.Chmod(path, 0o700); err != nil {
			t.Fatal(err)
		}
		list += fmt.Sprintf("  %s: {path: %s, timeout: 300ms, limits: {processes: 4000}}\n", name, path)
	}
	factory := allow(t, list)
	for _, name := range []string{"sleeps", "ignores", "endless", "spins", "grandchildren", "stdin"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			res := run(t, factory, fmt.Sprintf(`{"plugin":%q}`, name))
			if res.State != check.StateUnknown || res.Reason != check.ReasonCmdTimeout || time.Since(begin) > 5*time.Second {
				t.Errorf("Run(%s) = %v %s %q after %v, want UNKNOWN CMD_TIMEOUT after 300 ms", name, res.State, res.Reason, res.Text, time.Since(begin))
			}
			checktest.Result(t, doc, res)
		})
	}
}

// Not parallel: it uses up what all tests of the user may start.
func TestForkBomb(t *testing.T) {
	dir := peertest.Dir(t)
	path := peertest.Write(t, dir, "bomb", "#!/bin/sh\nb() { b | b & }; b & exec sleep 1000\n")
	if err := os.Chmod(path, 0o700); err != nil {
		t.Fatal(err)
	}
	before := peertest.Tasks(t)
	factory := allow(t, fmt.Sprintf("plugins: {bomb: {path: %s, timeout: 300ms, limits: {processes: %d}}}", path, before+400))
	res := run(t, factory, `{"plugin":"bomb"}`)
	if res.State != check.StateUnknown || res.Reason != check.ReasonCmdTimeout {
		t.Errorf("Run = %v %s %q, want UNKNOWN CMD_TIMEOUT", res.State, res.Reason, res.Text)
	}
}

// A scheduler has no list: it looks at the shape. A worker without one refuses
// to run.
func TestOffByDefault(t *testing.T) {
	t.Parallel()
	factory := check.Typed(plugin.Defaults(), plugin.New(tools.Tools{}))
	cmd, err := factory([]byte(`{"plugin":"check_http","args":{"host":"h"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if res, err := cmd.Run(t.Context(), check.Run{}); err == nil || !strings.Contains(err.Error(), "-plugins") {
		t.Errorf("Run = %v %v, want an error that names the flag", res, err)
	}
	if _, err := factory([]byte(`{"plugin":"x","args":{"a":"b\nc"}}`)); err == nil {
		t.Error("a newline in an argument was let through")
	}
}

func TestDeniedTarget(t *testing.T) {
	t.Parallel()
	factory := allow(t, "plugins: {x: {path: /bin/true, argv: ['{host}'], args: {host: {match: '.*', target: true}}}}")
	cmd, err := factory([]byte(`{"plugin":"x","args":{"host":"169.254.169.254"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if res, err := cmd.Run(t.Context(), check.Run{}); err == nil || !strings.Contains(err.Error(), "denied") {
		t.Errorf("Run = %v %v, want an error: the target is denied", res, err)
	}
}

func TestMonitoringPlugins(t *testing.T) {
	t.Parallel()
	dir := filepath.Dir(peertest.Program(t, "monitoring-plugins-basic", "/usr/lib/nagios/plugins/check_http"))
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			w.WriteHeader(http.StatusInternalServerError)
		}
		fmt.Fprint(w, "hello")
	}))
	t.Cleanup(web.Close)
	host, port, _ := strings.Cut(strings.TrimPrefix(web.URL, "http://"), ":")
	factory := allow(t, fmt.Sprintf(`
plugins:
  check_dummy: {path: %[1]s/check_dummy, argv: ['{state}', '{text}'], args: {state: '[0-3]', text: '[a-z ]+'}}
  check_http:
    path: %[1]s/check_http
    argv: [-H, '{host}', -p, '{port}', -u, '{url}', -w, '{warn}', -c, '10']
    args: {host: '[0-9.]+', port: '[0-9]+', url: {match: '/[a-z]*', default: /}, warn: {match: '[0-9.]+', default: '5'}}
  check_tcp: {path: %[1]s/check_tcp, argv: [-H, '{host}', -p, '{port}'], args: {host: '[0-9.]+', port: '[0-9]+'}}
  check_disk: {path: %[1]s/check_disk, argv: [-w, '0%%', -c, '0%%', -p, /]}
  check_load: {path: %[1]s/check_load, argv: [-w, '9999,9999,9999', -c, '9999,9999,9999']}
  check_procs: {path: %[1]s/check_procs, argv: [-w, '0:1', -c, '0:100000']}
`, dir))
	at := fmt.Sprintf(`"host":%q,"port":%q`, host, port)
	for _, tt := range []struct {
		params string
		state  check.State
		reason string
		metric string
	}{
		{`{"plugin":"check_dummy","args":{"state":"0","text":"all is well"}}`, check.StateOK, "", ""},
		{`{"plugin":"check_dummy","args":{"state":"1","text":"hm"}}`, check.StateWarn, "PLUGIN_WARN", ""},
		{`{"plugin":"check_dummy","args":{"state":"2","text":"no"}}`, check.StateCrit, "PLUGIN_CRIT", ""},
		{`{"plugin":"check_dummy","args":{"state":"3","text":"what"}}`, check.StateUnknown, "PLUGIN_UNKNOWN", ""},
		{`{"plugin":"check_http","args":{` + at + `}}`, check.StateOK, "", "time_seconds"},
		{`{"plugin":"check_http","args":{` + at + `,"url":"/broken"}}`, check.StateCrit, "PLUGIN_CRIT", "size_bytes"},
		{`{"plugin":"check_http","args":{` + at + `,"warn":"0.000001"}}`, check.StateWarn, "PLUGIN_WARN", "time_warn_seconds"},
		{`{"plugin":"check_tcp","args":{` + at + `}}`, check.StateOK, "", "time_seconds"},
		{`{"plugin":"check_tcp","args":{"host":"127.0.0.1","port":"1"}}`, check.StateCrit, "PLUGIN_CRIT", ""},
		{`{"plugin":"check_disk"}`, check.StateOK, "", "root_bytes"},
		{`{"plugin":"check_load"}`, check.StateOK, "", "load1"},
		{`{"plugin":"check_procs"}`, check.StateWarn, "PLUGIN_WARN", "procs"},
	} {
		t.Run(tt.params, func(t *testing.T) {
			t.Parallel()
			res := run(t, factory, tt.params)
			if res.State != tt.state || res.Reason != tt.reason {
				t.Errorf("Run = %v %s %q, want %v %s", res.State, res.Reason, res.Text, tt.state, tt.reason)
			}
			if _, ok := res.Metric(tt.metric); !ok && tt.metric != "" {
				t.Errorf("metrics = %v, want %s among them", res.Metrics, tt.metric)
			}
		})
	}
	cmd, err := factory([]byte(`{"plugin":"check_tcp","args":{` + at + `}}`))
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			if res, err := cmd.Run(t.Context(), check.Run{}); err != nil || res.State != check.StateOK {
				t.Errorf("Run = %v %v", res, err)
			}
		})
	}
	group.Wait()
}

func TestTarget(t *testing.T) {
	t.Parallel()
	factory := allow(t, "plugins: {marked: {path: /bin/true, argv: ['{a}', '{host}'], args: {a: {match: '.*', target: true}, host: '.*'}}, "+
		"plain: {path: /bin/true, argv: ['{host}'], args: {host: '.*'}}, none: {path: /bin/true}}")
	for params, want := range map[string]string{
		`{"plugin":"marked","args":{"a":"192.0.2.7","host":"x"}}`: "192.0.2.7",
		`{"plugin":"plain","args":{"host":"192.0.2.8"}}`:          "192.0.2.8",
		`{"plugin":"none"}`: "",
	} {
		cmd, err := factory(json.RawMessage(params))
		if err != nil {
			t.Fatalf("%s: %v", params, err)
		}
		if got := cmd.(check.Targeted).Target(); got != want {
			t.Errorf("%s: Target() = %q, want %q", params, got, want)
		}
	}
}
