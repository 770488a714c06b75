package scheduler

import (
	"strings"
	"testing"

	"github.com/redpoll/redpoll/pkg/check"
)

// A spec that was written by hand into another zone's registry says where it
// runs once redpoll has touched it, whoever comes first: repair or a pause.
func TestPauseNamesTheZone(t *testing.T) {
	for name, spec := range map[string]string{
		"running": `{"id":"web1","command":"probe","every":"30s","params":{"host":"a"}}`,
		"paused":  `{"id":"web1","command":"probe","every":"30s","params":{"host":"a"},"paused":true}`,
	} {
		t.Run(name, func(t *testing.T) {
			eachRig(t, func(t *testing.T, r *rig) {
				fra := check.Lane{Zone: "fra"}
				r.must(r.EnterZone(t.Context(), "fra"))
				r.must(r.client.HSet(t.Context(), r.KeySpecs(fra), "web1", spec).Err())
				r.want(check.VerdictAccepted, "op pause id web1 zone fra")
				text := r.client.HGet(t.Context(), r.KeySpecs(fra), "web1").Val()
				if !strings.Contains(text, `"zone":"fra"`) || !strings.Contains(text, `"paused":true`) {
					t.Errorf("spec = %s, want it paused, and with its zone", text)
				}
			})
		})
	}
}
