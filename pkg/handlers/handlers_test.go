package handlers

import (
	"encoding/json"
	"os"
	"testing"
)

// TestBuiltin: each type has its page, refuses what it does not know, and the
// caller may change the map.
func TestBuiltin(t *testing.T) {
	t.Parallel()
	all := Builtin()
	for name, factory := range all {
		if _, err := os.Stat("../../docs/handlers/" + name + ".md"); err != nil {
			t.Errorf("handler %s has no page: %v", name, err)
		}
		if _, err := factory(json.RawMessage(`{"no_such_setting":1}`)); err == nil {
			t.Errorf("handler %s takes an unknown setting", name)
		}
	}
	n := len(all)
	clear(all)
	if got := len(Builtin()); got != n || n == 0 {
		t.Errorf("Builtin has %d types, want %d", got, n)
	}
}
