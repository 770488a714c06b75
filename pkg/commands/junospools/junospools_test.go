package junospools

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/check/checktest"
	"github.com/redpoll/redpoll/pkg/commands/internal/snmptest"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
)

func factory() check.CommandFactory { return check.Typed(Defaults(), New(tools.Tools{})) }

func run(t *testing.T, port int, params string) check.Result {
	t.Helper()
	cmd, err := factory()(json.RawMessage(fmt.Sprintf(`{"host":"127.0.0.1","port":%d,%s}`, port, params)))
	if err != nil {
		t.Fatal(err)
	}
	res, err := cmd.Run(t.Context(), check.Run{Check: &check.Check{ID: "c"}})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// router has pools from index 3 on, each given as used and total.
func router(t testing.TB, pools ...[2]uint64) *snmptest.Agent {
	a := snmptest.NewAgent(t)
	for i, p := range pools {
		a.Set(fmt.Sprintf("1.3.6.1.4.1.2636.3.51.1.1.4.1.1.1.11.%d", 3+i), snmptest.Counter64(p[0]))
		a.Set(fmt.Sprintf("1.3.6.1.4.1.2636.3.51.1.1.4.1.1.1.10.%d", 3+i), snmptest.Counter64(p[1]))
	}
	return a
}

func TestRun(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		pools  [][2]uint64
		params string
		state  check.State
		reason string
		used   float64
	}{
		{"half full", [][2]uint64{{127, 254}}, `"pools":3`, check.StateOK, "", 50},
		{"at the edge", [][2]uint64{{97, 100}}, `"pools":3`, check.StateOK, "", 97},
		{"warn", [][2]uint64{{98, 100}}, `"pools":3`, check.StateWarn, ReasonUsage, 98},
		{"crit", [][2]uint64{{100, 100}}, `"pools":3`, check.StateCrit, ReasonUsage, 100},
		{"empty pool", [][2]uint64{{0, 0}}, `"pools":3`, check.StateOK, "", math.NaN()},
		{"one of them empty", [][2]uint64{{0, 0}, {98, 100}}, `"pools":"3,4"`, check.StateWarn, ReasonUsage, 98},
		{"together", [][2]uint64{{100, 100}, {0, 100}}, `"pools":[3,4]`, check.StateOK, "", 50},
		{"each", [][2]uint64{{100, 100}, {0, 100}}, `"pools":[3,4],"per_pool":true`, check.StateCrit, ReasonUsage, 50},
		{"each, all fine", [][2]uint64{{9, 100}, {1, 100}}, `"pools":[3,4],"per_pool":true`, check.StateOK, "", 5},
		{"own thresholds", [][2]uint64{{60, 100}}, `"pools":3,"warn":50,"crit":55`, check.StateCrit, ReasonUsage, 60},
		{"off", [][2]uint64{{100, 100}}, `"pools":3,"warn":null,"crit":null`, check.StateOK, "", 100},
		{"one is missing", [][2]uint64{{10, 100}}, `"pools":[3,4]`, check.StateUnknown, check.ReasonCmdFailure, 10},
		{"all are missing", nil, `"pools":[3,4]`, check.StateUnknown, check.ReasonCmdFailure, math.NaN()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			res := run(t, router(t, tt.pools...).Port, tt.params)
			if res.State != tt.state || res.Reason != tt.reason {
				t.Errorf("Run = %v, want %v %s", res, tt.state, tt.reason)
			}
			if m, ok := res.Metric("used_percent"); ok == math.IsNaN(tt.used) || ok && m.Value != tt.used {
				t.Errorf("used_percent = %v, %v, want %v", m.Value, ok, tt.used)
			}
		})
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	res := run(t, router(t, [2]uint64{30, 100}, [2]uint64{1, 4}).Port, `"pools":[3,4]`)
	for name, want := range map[string]float64{
		"used_addresses": 31, "total_addresses": 104, "used_addresses.3": 30, "total_addresses.4": 4, "used_percent.3": 30, "used_percent.4": 25,
	} {
		if m, ok := res.Metric(name); !ok || m.Value != want {
			t.Errorf("metric %s = %v, %v, want %v", name, m.Value, ok, want)
		}
	}
}

func TestConformance(t *testing.T) {
	a, hang := router(t, [2]uint64{30, 100}), snmptest.NewAgent(t)
	hang.Script(func(snmptest.Request) [][]byte { return nil })
	at := func(a *snmptest.Agent, rest string) string {
		return fmt.Sprintf(`{"host":"127.0.0.1","port":%d,%s}`, a.Port, rest)
	}
	checktest.Command(t, factory(), checktest.Case{
		OK:       at(a, `"pools":3`),
		Hang:     at(hang, `"pools":3`),
		More:     []string{at(a, `"pools":3,"crit":1`), at(a, `"pools":9`), at(hang, `"pools":3,"timeout":"50ms","retries":0`)},
		Bad:      []string{`{}`, `{"host":"x"}`, `{"host":"x","pools":[]}`, `{"host":"x","pools":[3,3]}`, `{"host":"x","pools":"a"}`, `{"host":"x","pools":-1}`},
		Doc:      "../../../docs/commands/junos_subscriber_pools.md",
		Defaults: Defaults(),
	})
}
