package commands

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/redpoll/redpoll/pkg/check"
)

// TestBuiltin: each command has its page, refuses what it does not know and
// names it, and the caller may change the map.
func TestBuiltin(t *testing.T) {
	t.Parallel()
	all := Builtin()
	for _, name := range all.Names() {
		if _, err := os.Stat("../../docs/commands/" + name + ".md"); err != nil {
			t.Errorf("command %s has no page: %v", name, err)
		}
		_, err := all.Build(name, json.RawMessage(`{"no_such_field":1}`))
		if err == nil || !strings.Contains(err.Error(), "params.no_such_field") {
			t.Errorf("command %s, unknown field = %v, want an error that names it", name, err)
		}
	}
	n := len(all)
	clear(all)
	if got := len(Builtin()); got != n || n == 0 {
		t.Errorf("Builtin has %d commands, want %d", got, n)
	}
}

// TestTargets: each command says which host it measures, with secrets in its
// params or without.
func TestTargets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"pw": "canary-pw", ".targets": "*"} {
		if err := os.WriteFile(dir+"/"+name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	secrets, err := OpenSecrets(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := BuiltinWith(Tools{Secrets: secrets})
	params := map[string][]string{
		"cisco_resources":        {`{"host":"target","community":{"secret":"pw"}}`},
		"dns":                    {`{"server":"target","name":"example.net"}`},
		"http":                   {`{"url":"http://target:81/"}`, `{"url":"https://[target]/"}`, `{"url":"http://www/","connect":"target:81"}`, `{"url":"http://www/","connect":"target"}`},
		"junos_subscriber_pools": {`{"host":"target","community":{"secret":"pw"},"pools":[1]}`},
		"mysql":                  {`{"host":"target","user":"u","password":{"secret":"pw"}}`},
		"ping":                   {`{"host":"target"}`},
		"plugin":                 {`{"plugin":"check_x","args":{"host":"target"}}`},
		"postgres":               {`{"host":"target","user":"u"}`},
		"smtp":                   {`{"host":"target"}`},
		"snmp":                   {`{"host":"target","community":{"secret":"pw"},"oids":[{"oid":"1.3.6.1.2.1.1.3.0","name":"uptime"}]}`},
		"speedtest":              {},
		"speedtestpp":            {`{"server":"target:8080"}`},
		"tcp":                    {`{"host":"target","port":1}`},
	}
	for _, name := range all.Names() {
		if _, there := params[name]; !there {
			t.Errorf("command %s: which target does it have? The test has no line about it", name)
		}
		for _, text := range params[name] {
			want := "target"
			if strings.Contains(text, "[target]") {
				text, want = strings.ReplaceAll(text, "target", "2001:db8::1"), "2001:db8::1"
			}
			cmd, err := all.Build(name, json.RawMessage(text))
			if err != nil {
				t.Errorf("command %s, %s: %v", name, text, err)
				continue
			}
			targeted, ok := cmd.(check.Targeted)
			if !ok || targeted.Target() != want {
				t.Errorf("command %s, %s: want the target %s (a target at all: %v)", name, text, want, ok)
			}
		}
	}
}
