package deploy

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// promtool runs Prometheus' own tool over files of dir. In CI a missing one is
// a failure.
func promtool(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("REDPOLL_TEST_SERVERS") == "required" {
			t.Fatal("promtool is needed: apt-get install prometheus")
		}
		t.Skip("SKIPPED: promtool is missing: apt-get install prometheus")
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// rulesFile writes the rules as Prometheus itself reads them.
func rulesFile(t *testing.T) (dir string) {
	t.Helper()
	f, _ := decode(prod, kustomize(t, prod))
	text, err := yaml.Marshal(f.rules[0].Spec)
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "rules.yaml"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// quiet are the figures of a fleet that is well: a minute each, for an hour.
var quiet = map[string]string{
	`redpoll_dispatched_total{namespace="m",pod="s1"}`:                                    "0+600x60",
	`redpoll_overdue_seconds{namespace="m",pod="s1",zone="default"}`:                      "0x60",
	`redpoll_ready_entries{namespace="m",pod="s1",zone="default"}`:                        "20x60",
	`redpoll_loop_failures_total{namespace="m",pod="s1",loop="dispatch"}`:                 "0x60",
	`redpoll_repairs_total{namespace="m",pod="s1",kind="lost"}`:                           "0x60",
	`redpoll_repairs_total{namespace="m",pod="s1",kind="hand"}`:                           "0+1x60",
	`redpoll_slots{namespace="m",pod="w1",state="free"}`:                                  "900x60",
	`redpoll_slots{namespace="m",pod="w1",state="busy"}`:                                  "100x60",
	`redpoll_slots{namespace="m",pod="w1",state="stuck"}`:                                 "0x60",
	`redpoll_waiting_runs{namespace="m",pod="w1",limit="slow"}`:                           "0x60",
	`redpoll_uplink_up{namespace="m",pod="w1",zone="default"}`:                            "1x60",
	`redpoll_results_total{namespace="m",pod="w1",command="http",state="OK"}`:             "0+600x60",
	`redpoll_missed_slots_total{namespace="m",pod="w1"}`:                                  "0+1x60",
	`redpoll_stale_completions_total{namespace="m",pod="w1"}`:                             "0x60",
	`redpoll_dropped_results_total{namespace="m",pod="w1"}`:                               "0x60",
	`redpoll_missing_handlers_total{namespace="m",pod="w1"}`:                              "0x60",
	`redpoll_check_lateness_seconds_bucket{namespace="m",pod="w1",le="0.1"}`:              "0+598x60",
	`redpoll_check_lateness_seconds_bucket{namespace="m",pod="w1",le="1"}`:                "0+600x60",
	`redpoll_check_lateness_seconds_bucket{namespace="m",pod="w1",le="30"}`:               "0+600x60",
	`redpoll_check_lateness_seconds_bucket{namespace="m",pod="w1",le="+Inf"}`:             "0+600x60",
	`redpoll_handler_errors_total{namespace="m",pod="w1",handler="h"}`:                    "0x60",
	`redpoll_handler_queue_entries{namespace="m",pod="w1",handler="h"}`:                   "10x60",
	`redpoll_handler_queue_capacity{namespace="m",pod="w1",handler="h"}`:                  "1000x60",
	`redpoll_handler_dropped_total{namespace="m",pod="w1",handler="h"}`:                   "0x60",
	`redpoll_handler_failed_total{namespace="m",pod="w1",handler="h"}`:                    "0x60",
	`redpoll_delivery_oldest_seconds{namespace="m",pod="w1",handler="p",zone="default"}`:  "2x60",
	`redpoll_dead_letters_total{namespace="m",pod="w1",handler="p"}`:                      "3x60",
	`redpoll_deliveries_trimmed_total{namespace="m",pod="w1",handler="p",zone="default"}`: "0x60",
	`redis_memory_used_bytes{instance="r"}`:                                               "100x60",
	`redis_memory_max_bytes{instance="r"}`:                                                "1000x60",
}

// trouble changes the figures whose name or labels contain a text (none: they
// are gone), and says which alerts fire at a minute.
type trouble struct {
	name    string
	changes map[string]string
	minute  int
	want    []string
}

var troubles = []trouble{
	{"quiet", nil, 50, nil},
	{"no schedulers", map[string]string{`pod="s1"`: ""}, 10, []string{"RedpollNoScheduler"}},
	{"no workers", map[string]string{`pod="w1"`: ""}, 4, []string{"RedpollNoWorker"}},
	{"no workers for long", map[string]string{`pod="w1"`: ""}, 20, []string{"RedpollNoWorker", "RedpollNoResults"}},
	{"no dispatch", map[string]string{"overdue": "0+60x60"}, 10, []string{"RedpollOverdue"}},
	{"nothing ends", map[string]string{"results_total": "600x60", "missed": "0x60"}, 20, []string{"RedpollNoResults"}},
	{"redis away", map[string]string{"loop_failures": "0+3x60"}, 10, []string{"RedpollLoopFailures"}},
	{"late", map[string]string{`le="1"`: "0+580x60", `le="0.1"`: "0+500x60"}, 20, []string{"RedpollLate"}},
	{"full", map[string]string{`state="free"`: "0x60", `state="busy"`: "1000x60"}, 10, []string{"RedpollSlotsFull"}},
	{"stuck", map[string]string{`state="stuck"`: "1x60"}, 15, []string{"RedpollStuckSlots"}},
	{"dead targets", map[string]string{"waiting_runs": "40x60"}, 20, []string{"RedpollWaitingRuns"}},
	{"uplink", map[string]string{"uplink": "0x60"}, 5, []string{"RedpollUplinkDown"}},
	{"missed", map[string]string{"missed": "0+60x60"}, 35, []string{"RedpollMissedSlots"}},
	{"stale", map[string]string{"stale": "0x10 5x50"}, 12, []string{"RedpollStaleCompletions"}},
	{"dropped", map[string]string{"dropped_results": "0x10 5x50"}, 12, []string{"RedpollDroppedResults"}},
	{"repairs", map[string]string{`kind="lost"`: "0x10 5x50"}, 12, []string{"RedpollRepairs"}},
	{"nobody hears", map[string]string{"oldest": "0+60x60"}, 10, []string{"RedpollDeliveryLate"}},
	{"dead letters", map[string]string{"dead_letters": "3x10 4x50"}, 30, []string{"RedpollDeadLetters"}},
	{"trimmed", map[string]string{"trimmed": "0x10 9x50"}, 30, []string{"RedpollDeliveriesTrimmed"}},
	{"handler errors", map[string]string{"handler_errors": "0+5x60"}, 20, []string{"RedpollHandlerErrors"}},
	{"missing handler", map[string]string{"missing_handlers": "0+5x60"}, 20, []string{"RedpollMissingHandler"}},
	{"full buffer", map[string]string{"queue_entries": "900x60"}, 10, []string{"RedpollHandlerQueueFull"}},
	{"drops", map[string]string{"handler_dropped": "0x10 5x50"}, 12, []string{"RedpollHandlerLoss"}},
	{"refusals", map[string]string{"handler_failed": "0x10 5x50"}, 12, []string{"RedpollHandlerLoss"}},
	{"redis full", map[string]string{"memory_used": "900x60"}, 15, []string{"RedpollRedisMemory"}},
	{"redis without a limit", map[string]string{"memory_used": "900x60", "memory_max": "0x60"}, 15, nil},
}

// unitTests writes the troubles as promtool reads them.
func unitTests(t *testing.T, list []trouble) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("rule_files: [rules.yaml]\nevaluation_interval: 1m\ntests:\n")
	for _, tr := range list {
		fmt.Fprintf(&b, "  - name: %s\n    interval: 1m\n    input_series:\n", tr.name)
		unused := maps.Clone(tr.changes)
		for _, series := range slices.Sorted(maps.Keys(quiet)) {
			values := quiet[series]
			for part, to := range tr.changes {
				if strings.Contains(series, part) {
					values = to
					delete(unused, part)
				}
			}
			if values != "" {
				fmt.Fprintf(&b, "      - {series: '%s', values: %s}\n", series, values)
			}
		}
		if len(unused) > 0 {
			t.Errorf("%s changes nothing with %q", tr.name, unused)
		}
		fmt.Fprintf(&b, "    promql_expr_test:\n      - expr: count by (alertname) (ALERTS{alertstate=\"firing\"})\n        eval_time: %dm\n        exp_samples:\n", tr.minute)
		for _, name := range tr.want {
			fmt.Fprintf(&b, "          - {labels: '{alertname=\"%s\"}', value: 1}\n", name)
		}
		if len(tr.want) == 0 {
			b.WriteString("          []\n")
		}
	}
	return b.String()
}

// TestAlertsFire: Prometheus' own engine raises each alert in its trouble, and
// no other; a fleet that is well has none.
func TestAlertsFire(t *testing.T) {
	t.Parallel()
	dir := rulesFile(t)
	if out, err := promtool(t, dir, "check", "rules", "rules.yaml"); err != nil {
		t.Fatalf("promtool check rules: %v\n%s", err, out)
	}
	run := func(list []trouble) (string, error) {
		if err := os.WriteFile(filepath.Join(dir, "tests.yaml"), []byte(unitTests(t, list)), 0o600); err != nil {
			t.Fatal(err)
		}
		return promtool(t, dir, "test", "rules", "tests.yaml")
	}
	if out, err := run(troubles); err != nil {
		t.Errorf("promtool test rules: %v\n%s", err, out)
	}
	if out, err := run([]trouble{{"planted", map[string]string{"overdue": "0+60x60"}, 10, nil}}); err == nil {
		t.Errorf("promtool finds nothing wrong with an alert that fires and should not:\n%s", out)
	}
	for _, r := range alerts(t) {
		if !slices.ContainsFunc(troubles, func(tr trouble) bool { return slices.Contains(tr.want, r.Alert) }) {
			t.Errorf("no trouble raises %s", r.Alert)
		}
	}
}
