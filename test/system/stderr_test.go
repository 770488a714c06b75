package system

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// With -log-format json each line that a daemon writes is JSON, also while
// Redis is away; and it goes on waiting.
func TestStderrIsJSON(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"scheduler", "worker"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, name, binary(t, name), "-redis", "redis://127.0.0.1:1/0", "-listen", "", "-log-format", "json")
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()
			for late := time.After(20 * time.Second); !strings.Contains(p.Logs.String(), "waiting for redis"); {
				select {
				case <-tick.C:
				case <-p.Ended:
					t.Fatalf("%s ended with code %d", name, p.Code)
				case <-late:
					t.Fatal("it does not say that it waits for Redis")
				}
			}
			p.stop()
			for line := range strings.Lines(p.Logs.String()) {
				if !json.Valid([]byte(line)) {
					t.Errorf("line %q is no JSON", line)
				}
			}
		})
	}
}
