package snmp

import (
	"fmt"
	"testing"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands/internal/snmptest"
)

// device gives an agent an interface that is up, of 1 Gb/s.
func device(a *snmptest.Agent, index int, name, alias string) {
	set := func(column string, v snmptest.Value) { a.Set(fmt.Sprintf("%s%d", column, index), v) }
	a.Set(sysUpTime, snmptest.Ticks(1000000))
	set(ifTable+"2.", snmptest.Octets(name+" descr"))
	set(ifXTable+"1.", snmptest.Octets(name))
	set(ifXTable+"18.", snmptest.Octets(alias))
	set(ifOperStatus, snmptest.Int(1))
	set(ifHighSpeed, snmptest.Gauge(1000))
	set(ifDiscontinuity, snmptest.Ticks(0))
	for _, column := range []string{ifHCInOctets, ifHCOutOctets} {
		set(column, snmptest.Counter64(1e15))
	}
	for _, column := range []string{ifInOctets, ifOutOctets, ifInErrors, ifOutErrors, ifInDiscards, ifOutDiscards} {
		set(column, snmptest.Counter32(1e9))
	}
}

// later lets ten seconds pass, on the device and in the last result.
func later(a *snmptest.Agent, r *runner) {
	r.back(10 * time.Second)
	m, _ := r.last.Metric(uptimeMetric)
	a.Set(sysUpTime, snmptest.Ticks(uint32(m.Value*100)+1000))
}

func TestReadyMade(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, params string
		change       func(a *snmptest.Agent)
		state        check.State
		reason       string
		metrics      map[string]float64
	}{
		{"quiet", `"interfaces":3`, func(*snmptest.Agent) {}, check.StateOK, "", map[string]float64{
			"oper_status.3": 1, "in_octets.3": 1e15, "in_bits_per_second.3": 0, "out_utilization_percent.3": 0,
			"in_errors.3": 1e9, "out_discards_per_second.3": 0, "discontinuity_seconds.3": 0, "if_index.3": none,
		}},
		{"busy", `"interfaces":3`, func(a *snmptest.Agent) { a.Set(ifHCInOctets+"3", snmptest.Counter64(1e15+1e9)) }, check.StateOK, "",
			map[string]float64{"in_bits_per_second.3": 8e8, "in_utilization_percent.3": 80, "out_bits_per_second.3": 0}},
		{"too busy", `"interfaces":3,"traffic":{"warn_max":"50%","crit_max":"70%"}`, func(a *snmptest.Agent) { a.Set(ifHCOutOctets+"3", snmptest.Counter64(1e15+1e9)) },
			check.StateCrit, ReasonBWHigh, map[string]float64{"out_utilization_percent.3": 80}},
		{"too busy one way", `"interfaces":3,"traffic":{"crit_max":"70%"},"traffic_out":{"warn_max":"75%"}`, func(a *snmptest.Agent) { a.Set(ifHCOutOctets+"3", snmptest.Counter64(1e15+1e9)) },
			check.StateWarn, ReasonBWHigh, nil},
		{"port speed of the check", `"interfaces":3,"port_speed":"10Gb","traffic":{"crit_max":"70%"}`, func(a *snmptest.Agent) { a.Set(ifHCOutOctets+"3", snmptest.Counter64(1e15+1e9)) },
			check.StateOK, "", map[string]float64{"out_utilization_percent.3": 8}},
		{"port speed of the interface", `"interfaces":[{"index":3,"port_speed":"125MB"}],"port_speed":"10Gb","traffic":{"crit_max":"70%"}`, func(a *snmptest.Agent) { a.Set(ifHCOutOctets+"3", snmptest.Counter64(1e15+1e9)) },
			check.StateCrit, ReasonBWHigh, map[string]float64{"out_utilization_percent.3": 80}},
		{"too quiet", `"interfaces":3,"traffic_in":{"warn_min":"1%"}`, func(*snmptest.Agent) {}, check.StateWarn, ReasonBWLow, nil},
		{"bits", `"interfaces":3,"traffic_in":{"crit_max":700000000}`, func(a *snmptest.Agent) { a.Set(ifHCInOctets+"3", snmptest.Counter64(1e15+1e9)) }, check.StateCrit, ReasonBWHigh, nil},
		{"down", `"interfaces":3,"traffic":{"crit_min":"1%"}`, func(a *snmptest.Agent) { a.Set(ifOperStatus+"3", snmptest.Int(2)) }, check.StateCrit, ReasonIfaceDown,
			map[string]float64{"oper_status.3": 0}},
		{"errors", `"interfaces":3,"errors":{"warn_max":1}`, func(a *snmptest.Agent) { a.Set(ifInErrors+"3", snmptest.Counter32(1e9+20)) }, check.StateWarn, ReasonErrorsHigh,
			map[string]float64{"in_errors_per_second.3": 2}},
		{"discards", `"interfaces":3,"discards":{"crit_max":1}`, func(a *snmptest.Agent) { a.Set(ifOutDiscards+"3", snmptest.Counter32(1e9+20)) }, check.StateCrit, ReasonDiscardsHigh, nil},
		{"speed unknown", `"interfaces":3`, func(a *snmptest.Agent) { a.Set(ifHighSpeed+"3", snmptest.Gauge(0)) }, check.StateOK, "", map[string]float64{"in_utilization_percent.3": none}},
		{"speed unknown and wanted", `"interfaces":3,"traffic":{"crit_max":"70%"}`, func(a *snmptest.Agent) { a.Unset(ifHighSpeed + "3") }, check.StateUnknown, "CMD_FAILURE", nil},
		{"no counters of 64 bits", `"interfaces":3`, func(a *snmptest.Agent) {
			a.Unset(ifHCInOctets + "3")
			a.Unset(ifHCOutOctets + "3")
		}, check.StateOK, "", map[string]float64{"in_octets.3": 1e9, "in_bits_per_second.3": none}},
		{"no discards counted", `"interfaces":3`, func(a *snmptest.Agent) { a.Unset(ifInDiscards + "3") }, check.StateOK, "", map[string]float64{"in_discards.3": none}},
		{"discards wanted and not counted", `"interfaces":3,"discards":{"warn_max":1}`, func(a *snmptest.Agent) { a.Unset(ifInDiscards + "3") }, check.StateUnknown, "CMD_FAILURE", nil},
		{"status only", `"interfaces":3,"watch":"status"`, func(*snmptest.Agent) {}, check.StateOK, "", map[string]float64{"oper_status.3": 1, "in_octets.3": none}},
		{"gone", `"interfaces":3`, func(a *snmptest.Agent) { a.Unset(ifOperStatus + "3") }, check.StateUnknown, "CMD_FAILURE", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := snmptest.NewAgent(t)
			device(a, 3, "ge-0/0/0", "uplink")
			r := newRunner(t, a.Port, tt.params)
			r.run()
			later(a, r)
			tt.change(a)
			res := r.run()
			want(t, res, tt.state, tt.reason)
			for name, value := range tt.metrics {
				metric(t, res, name, value)
			}
		})
	}
}

// TestVersion1Interfaces shows the same with the counters that version 1 has.
func TestVersion1Interfaces(t *testing.T) {
	t.Parallel()
	a := snmptest.NewAgent(t)
	device(a, 3, "ge-0/0/0", "uplink")
	r := newRunner(t, a.Port, `"version":1,"interfaces":"ge-0/0/0"`)
	r.run()
	later(a, r)
	a.Set(ifInOctets+"3", snmptest.Counter32(1e9+1e7))
	res := r.run()
	want(t, res, check.StateOK, "")
	metric(t, res, "in_bits_per_second.ge-0_0_0", 8e6)
}

// TestSeveral shows several interfaces, found in several ways, in one check,
// and objects of the user's own for each of them.
func TestSeveral(t *testing.T) {
	t.Parallel()
	a := snmptest.NewAgent(t)
	device(a, 3, "ge-0/0/0", "uplink")
	device(a, 4, "ge-0/0/1", "customer 7")
	device(a, 70000, "ge-0/0/2", "")
	r := newRunner(t, a.Port, `"interfaces":[3,{"alias":"customer 7","label":"c7"},"ge-0/0/2"],
		"oids":[{"oid":"1.3.6.1.2.1.2.2.1.8.{index}","name":"oper","up_values":[1]},
		{"oid":"1.3.6.1.2.1.31.1.1.1.6.{index}","name":"in","multiplier":8,"crit_max":"50%"}]`)
	r.run()
	later(a, r)
	a.Set(ifHCInOctets+"4", snmptest.Counter64(1e15+1e9))
	res := r.run()
	want(t, res, check.StateCrit, ReasonBWHigh)
	for name, value := range map[string]float64{
		"oper.3": 1, "oper.c7": 1, "oper.ge-0_0_2": 1, "in_per_second.3": 0, "in_per_second.c7": 8e8, "if_index.c7": 4, "if_index.ge-0_0_2": 70000,
	} {
		metric(t, res, name, value)
	}
	a.Set(ifOperStatus+"70000", snmptest.Int(7))
	later(a, r)
	want(t, r.run(), check.StateCrit, ReasonIfaceDown)
}

// TestMovedInterface shows that an interface is followed to another index in
// the same run, that its counter starts anew there, and that nothing is
// looked up twice meanwhile.
func TestMovedInterface(t *testing.T) {
	t.Parallel()
	a := snmptest.NewAgent(t)
	device(a, 3, "ge-0/0/0", "uplink")
	device(a, 4, "ge-0/0/1", "spare")
	r := newRunner(t, a.Port, `"interfaces":["ge-0/0/0"]`)
	r.run()
	later(a, r)
	a.Requests()
	metric(t, r.run(), "if_index.ge-0_0_0", 3)
	if n := len(a.Requests()); n != 1 {
		t.Errorf("%d requests for an interface that is known, want 1", n)
	}
	device(a, 3, "ge-0/0/1", "spare")
	device(a, 4, "ge-0/0/0", "uplink")
	a.Set(ifHCInOctets+"4", snmptest.Counter64(2e15))
	later(a, r)
	res := r.run()
	want(t, res, check.StateOK, "")
	metric(t, res, "if_index.ge-0_0_0", 4)
	metric(t, res, "in_octets.ge-0_0_0", 2e15)
	metric(t, res, "in_bits_per_second.ge-0_0_0", none)
	later(a, r)
	metric(t, r.run(), "in_bits_per_second.ge-0_0_0", 0)

	a.Set(ifXTable+"1.4", snmptest.Octets("ge-9/9/9"))
	later(a, r)
	res = r.run()
	want(t, res, check.StateUnknown, "CMD_FAILURE")
	metric(t, res, "in_octets.ge-0_0_0", none)
}
