package commands

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
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
