package ciscoresources

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
	cmd, err := factory()(json.RawMessage(fmt.Sprintf(`{"host":"127.0.0.1","port":%d%s}`, port, params)))
	if err != nil {
		t.Fatal(err)
	}
	res, err := cmd.Run(t.Context(), check.Run{Check: &check.Check{ID: "c"}})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func device(t testing.TB, cpu, used, free uint32) *snmptest.Agent {
	a := snmptest.NewAgent(t)
	d := Defaults()
	a.Set(sysUpTime, snmptest.Ticks(12345))
	a.Set(d.CPUOID, snmptest.Int(int64(cpu)))
	a.Set(d.MemUsedOID, snmptest.Gauge(used))
	a.Set(d.MemFreeOID, snmptest.Gauge(free))
	return a
}

func TestRun(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name            string
		cpu, used, free uint32
		params          string
		state           check.State
		reason          string
		mem             float64
	}{
		{"quiet", 5, 25, 75, "", check.StateOK, "", 25},
		{"at the edge", 85, 85, 15, "", check.StateOK, "", 85},
		{"cpu warn", 86, 25, 75, "", check.StateWarn, ReasonCPU, 25},
		{"cpu crit", 91, 86, 14, "", check.StateCrit, ReasonCPU, 86},
		{"memory warn", 5, 86, 14, "", check.StateWarn, ReasonMemory, 86},
		{"memory crit", 86, 91, 9, "", check.StateCrit, ReasonMemory, 91},
		{"large pools", 5, 4294967295, 4294967295, "", check.StateOK, "", 50},
		{"no memory", 5, 0, 0, "", check.StateUnknown, check.ReasonCmdFailure, math.NaN()},
		{"own thresholds", 50, 25, 75, `,"cpu_warn":10,"cpu_crit":60`, check.StateWarn, ReasonCPU, 25},
		{"off", 100, 100, 0, `,"cpu_warn":null,"cpu_crit":null,"mem_warn":null,"mem_crit":null`, check.StateOK, "", 100},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			res := run(t, device(t, tt.cpu, tt.used, tt.free).Port, tt.params)
			if res.State != tt.state || res.Reason != tt.reason {
				t.Errorf("Run = %v, want %v %s", res, tt.state, tt.reason)
			}
			if m, ok := res.Metric("mem_percent"); ok == math.IsNaN(tt.mem) || ok && m.Value != tt.mem {
				t.Errorf("mem_percent = %v, %v, want %v", m.Value, ok, tt.mem)
			}
			if m, _ := res.Metric("cpu_percent"); m.Value != float64(tt.cpu) {
				t.Errorf("cpu_percent = %v, want %v", m.Value, tt.cpu)
			}
			if m, _ := res.Metric("uptime_seconds"); m.Value != 123.45 {
				t.Errorf("uptime_seconds = %v", m.Value)
			}
		})
	}
}

func TestMissing(t *testing.T) {
	t.Parallel()
	a := device(t, 5, 1, 1)
	a.Unset(Defaults().CPUOID)
	res := run(t, a.Port, "")
	if _, ok := res.Metric("cpu_percent"); res.State != check.StateUnknown || res.Reason != check.ReasonCmdFailure || ok {
		t.Errorf("Run without the cpu object = %v", res)
	}
	const newer = "1.3.6.1.4.1.9.9.109.1.1.1.1.7.1"
	a.Set(newer, snmptest.Gauge(7))
	if res := run(t, a.Port, `,"cpu_oid":"`+newer+`"`); res.State != check.StateOK {
		t.Errorf("Run with the newer cpu object = %v", res)
	}
}

// TestSnmpd reads the objects from a real agent.
func TestSnmpd(t *testing.T) {
	t.Parallel()
	d := Defaults()
	s := snmptest.Start(t, fmt.Sprintf("rocommunity public 127.0.0.1\noverride %s integer 12\noverride %s uinteger 300\noverride %s uinteger 100\n",
		d.CPUOID, d.MemUsedOID, d.MemFreeOID))
	res := run(t, s.Port, "")
	if m, _ := res.Metric("mem_percent"); res.State != check.StateOK || m.Value != 75 {
		t.Errorf("Run = %v", res)
	}
}

func TestConformance(t *testing.T) {
	a, hang := device(t, 5, 25, 75), snmptest.NewAgent(t)
	hang.Script(func(snmptest.Request) [][]byte { return nil })
	at := func(a *snmptest.Agent, rest string) string {
		return fmt.Sprintf(`{"host":"127.0.0.1","port":%d%s}`, a.Port, rest)
	}
	checktest.Command(t, factory(), checktest.Case{
		OK:       at(a, ""),
		Hang:     at(hang, ""),
		More:     []string{at(a, `,"cpu_crit":1`), at(a, `,"mem_crit":1`), at(a, `,"cpu_oid":"1.3.9"`), at(hang, `,"timeout":"50ms","retries":0`)},
		Bad:      []string{`{}`, `{"host":"x","cpu_oid":"cpu"}`, `{"host":"x","cpu_warn":"high"}`, `{"host":"x","version":5}`},
		Doc:      "../../../docs/commands/cisco_resources.md",
		Defaults: Defaults(),
	})
}
