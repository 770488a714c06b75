package snmp

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
)

// factory is the command as commands.Builtin has it.
func factory(t tools.Tools) check.CommandFactory { return check.Typed(Defaults(), New(t)) }

func TestParseSpeed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]float64{
		"1Gb": 1e9, "1gb": 1e9, "1G": 1e9, "1Gbit": 1e9, "1Gbit/s": 1e9, "1Gbps": 1e9, "10 Gb/s": 1e10, "2.5Gb": 2.5e9,
		"100M": 1e8, "100Mb": 1e8, "64k": 64000, "64K": 64000, "1T": 1e12, "1000000": 1e6, "1e6": 0,
		"125MB": 1e9, "125MB/s": 1e9, "125MBps": 1e9, "1B": 8, "1 GB": 8e9, "1Gbyte": 8e9,
		"1Gib": 1 << 30, "1GiB": 8 << 30, "1Ki": 1024, "1kib": 1024,
		"": 0, "0": 0, "-1G": 0, "G": 0, "1X": 0, "1Gx": 0, "1GG": 0, "NaN": 0, "Inf": 0, "1..0G": 0, "9e99": 0, "999999T": 0, ".": 0,
	} {
		got, err := ParseSpeed(text)
		if float64(got) != want || (err == nil) != (want != 0) {
			t.Errorf("ParseSpeed(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
}

func FuzzParseSpeed(f *testing.F) {
	for _, s := range []string{"1Gb", "125MB/s", "2.5Gib", "x", "1e9", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSpeed(text)
		if err == nil && !(s >= 1 && s <= maxSpeed) {
			t.Fatalf("ParseSpeed(%q) = %v", text, s)
		}
	})
}

// FuzzParams shows that no params make the factory panic, and that what it
// takes is within bounds.
func FuzzParams(f *testing.F) {
	for _, s := range []string{
		`{"host":"h","oids":[{"oid":"1.3.6.1","name":"n","warn_max":"80%","up_values":[1,"2"]}],"port_speed":"1Gb"}`,
		`{"host":"h","interfaces":"1,2,xe-0/0/0","traffic":{"crit_max":"90%"}}`,
		`{"host":"h","interfaces":[1,"2",{"alias":"a","label":"l"}],"oids":[{"oid":"1.3.{index}.1","name":"n"}]}`,
		`{"host":"h","version":3,"user":"u","watch":["status"],"interfaces":[7]}`,
	} {
		f.Add([]byte(s))
	}
	build := factory(tools.Tools{})
	f.Fuzz(func(t *testing.T, params []byte) {
		cmd, err := build(params)
		if (cmd == nil) == (err == nil) {
			t.Fatalf("factory(%q) = %v, %v", params, cmd, err)
		}
		if err != nil {
			return
		}
		c := cmd.(*command)
		if len(c.objects) == 0 || c.points() > maxObjects {
			t.Fatalf("factory(%q): %d objects", params, len(c.objects))
		}
	})
}

func TestLimit(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]*Limit{
		`5`: {true, false, 5}, `-5.5`: {true, false, -5.5}, `"5"`: {true, false, 5}, `"80%"`: {true, true, 80}, `"80 %"`: {true, true, 80}, `0`: {true, false, 0},
		`"x"`: nil, `"%"`: nil, `"-1%"`: nil, `"1001%"`: nil, `true`: nil, `[]`: nil, `"NaN"`: nil, `"Inf"`: nil, `""`: nil, `{}`: nil,
	} {
		var l Limit
		err := json.Unmarshal([]byte(text), &l)
		if (err == nil) != (want != nil) || want != nil && l != *want {
			t.Errorf("Limit %s = %+v, %v, want %+v", text, l, err, want)
		}
	}
	for _, l := range []Limit{{true, true, 12.5}, {true, false, -3}} {
		text, err := json.Marshal(l)
		var back Limit
		if err == nil {
			err = json.Unmarshal(text, &back)
		}
		if err != nil || back != l {
			t.Errorf("Limit %+v became %s became %+v, %v", l, text, back, err)
		}
	}
}

func TestGradeLimits(t *testing.T) {
	t.Parallel()
	set := func(v float64) Limit { return Limit{Set: true, Value: v} }
	percent := func(v float64) Limit { return Limit{Set: true, Percent: true, Value: v} }
	own := Limits{WarnMin: set(10), WarnMinReason: "LOW", WarnMax: set(80), WarnMaxReason: "HIGH", CritMin: set(5), CritMinReason: "VERY_LOW", CritMax: set(90), CritMaxReason: "VERY_HIGH"}
	for _, tt := range []struct {
		limits Limits
		value  float64
		state  check.State
		reason string
	}{
		{own, 50, check.StateOK, ""}, {own, 80, check.StateOK, ""}, {own, 10, check.StateOK, ""},
		{own, 80.1, check.StateWarn, "HIGH"}, {own, 91, check.StateCrit, "VERY_HIGH"},
		{own, 9, check.StateWarn, "LOW"}, {own, 4, check.StateCrit, "VERY_LOW"},
		{Limits{WarnMax: percent(80)}, 799, check.StateOK, ""}, {Limits{WarnMax: percent(80)}, 801, check.StateWarn, ReasonBWHigh},
		{Limits{CritMin: percent(10)}, 99, check.StateCrit, ReasonBWLow}, {Limits{CritMax: set(0)}, 1, check.StateCrit, ReasonValueHigh},
		{Limits{WarnMin: set(0)}, -1, check.StateWarn, ReasonValueLow}, {Limits{}, 1e300, check.StateOK, ""},
	} {
		l := tt.limits.named(ReasonValueHigh, ReasonValueLow)
		if v := l.grade("x", tt.value, 1000); v.state != tt.state || v.reason != tt.reason {
			t.Errorf("grade(%v) by %+v = %v %s, want %v %s", tt.value, tt.limits, v.state, v.reason, tt.state, tt.reason)
		}
	}
}

func TestInterfacesJSON(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`7`: "[{7    0}]", `"7"`: "[{7    0}]", `"1, 2,xe-0/0/0"`: "[{1    0} {2    0} {0 xe-0/0/0   0}]",
		`["7",8,{"name":"9","label":"nine"}]`:     "[{7    0} {8    0} {0 9  nine 0}]",
		`[{"alias":"to fra","port_speed":"1Mb"}]`: "[{0  to fra  1e+06}]", `[]`: "[]",
		`[null]`: "", `[{"nme":"x"}]`: "", `[[1]]`: "", `[{"index":-1}]`: "",
	} {
		var l Interfaces
		err := json.Unmarshal([]byte(text), &l)
		if err == nil {
			err = l.validate()
		}
		if (err == nil) != (want != "") || err == nil && fmt.Sprint(l) != want {
			t.Errorf("Interfaces %s = %v, %v, want %s", text, l, err, want)
		}
	}
}

func TestParams(t *testing.T) {
	t.Parallel()
	build := factory(tools.Tools{})
	many := make([]string, 256)
	for i := range many {
		many[i] = fmt.Sprintf(`{"oid":"1.3.6.%d","name":"n%d"}`, i, i)
	}
	for params, want := range map[string]string{
		`"oids":[{"oid":".1.3.6.1.2.1.1.3.0","name":"up"}]`: "",
		`"interfaces":3`: "",
		`"interfaces":"3","watch":"status,traffic"`:                                     "",
		`"interfaces":["3"],"oids":[{"oid":"1.3.{index}","name":"n","crit_max":"80%"}]`: "",
		`"oids":[{"oid":"1.3.6","name":"n","warn_max":"80%"}],"port_speed":"1Gb"`:       "",
		`"oids":[{"oid":"1.3.6","name":"n","warn_max":"80%"}]`:                          "port_speed",
		``:          "oids",
		`"oids":[]`: "oids",
		`"oids":[{"oid":"sysUpTime","name":"n"}]`:                                      "oids[0].oid",
		`"oids":[{"oid":"1.3.6","name":"a b"}]`:                                        "oids[0].name",
		`"oids":[{"oid":"1.3.6","name":""}]`:                                           "oids[0].name",
		`"oids":[{"oid":"1.3.6","name":"` + strings.Repeat("n", 54) + `"}]`:            "oids[0].name",
		`"oids":[{"oid":"1.3.6","name":"n","multiplier":0}]`:                           "multiplier",
		`"oids":[{"oid":"1.3.6","name":"n","warn_max":"high"}]`:                        "warn_max",
		`"oids":[{"oid":"1.3.6","name":"n","warn_max":1,"warn_min":2}]`:                "warn_min",
		`"oids":[{"oid":"1.3.6","name":"n","crit_max":1,"crit_max_reason":"too hot"}]`: "crit_max_reason",
		`"oids":[{"oid":"1.3.6","name":"n","up_values":[1],"warn_max":5}]`:             "up_values",
		`"oids":[{"oid":"1.3.6","name":"n","up_values":[{}]}]`:                         "up_values",
		`"oids":[{"oid":"1.3.6","name":"n","discontinuity_oid":"x"}]`:                  "discontinuity_oid",
		`"oids":[{"oid":"1.3.6","name":"n","typo":1}]`:                                 "typo",
		`"oids":[{"oid":"1.3.6","name":"n"},{"oid":"1.3.7","name":"n"}]`:               "twice",
		`"oids":[{"oid":"1.3.6","name":"n"},{"oid":"1.3.7","name":"n_per_second"}]`:    "twice",
		`"oids":[{"oid":"1.3.6","name":"uptime_seconds"}]`:                             "twice",
		`"oids":[{"oid":"1.3.{index}","name":"n"}]`:                                    "interfaces",
		`"oids":[{"oid":"1.3{index}","name":"n"}],"interfaces":1`:                      "oid",
		`"oids":[{"oid":"1.3.{index}.{index}","name":"n"}],"interfaces":1`:             "oid",
		`"watch":["status"],"oids":[{"oid":"1.3.6","name":"n"}]`:                       "interfaces",
		`"interfaces":1,"watch":["speed"]`:                                             "watch",
		`"interfaces":[1,1]`:                                                           "twice",
		`"interfaces":[{"index":1,"name":"x"}]`:                                        "interfaces[0]",
		`"interfaces":[{}]`:                                                            "interfaces[0]",
		`"interfaces":[{"index":1,"label":"a b"}]`:                                     "label",
		`"interfaces":1,"errors":{"warn_max":"1%"}`:                                    "errors",
		`"interfaces":1,"port_speed":"fast"`:                                           "port_speed",
		`"interfaces":1,"traffic":{"warn_max":"high"}`:                                 "traffic",
		`"interfaces":"1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17"`:                     "256",
		`"oids":[` + strings.Join(many, ",") + `]`:                                     "256",
		`"interfaces":1,"community":"private"`:                                         "public",
		`"interfaces":1,"timeout":"1h"`:                                                "timeout",
	} {
		cmd, err := build(json.RawMessage(`{"host":"192.0.2.1",` + params + `}`))
		if params == "" {
			cmd, err = build(json.RawMessage(`{"host":"192.0.2.1"}`))
		}
		if want == "" && (err != nil || cmd == nil) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("params %.100s: %v, want %q", params, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "private") {
			t.Errorf("the error tells the community: %v", err)
		}
	}
}

func TestDiscontinuityOf(t *testing.T) {
	t.Parallel()
	for oid, want := range map[string]string{
		"1.3.6.1.2.1.2.2.1.10.7":       "1.3.6.1.2.1.31.1.1.1.19.7",
		"1.3.6.1.2.1.31.1.1.1.6.12":    "1.3.6.1.2.1.31.1.1.1.19.12",
		"1.3.6.1.2.1.2.2.1.8.7":        "",
		"1.3.6.1.2.1.31.1.1.1.15.7":    "",
		"1.3.6.1.2.1.2.2.1.10":         "",
		"1.3.6.1.2.1.2.2.1.10.7.1":     "",
		"1.3.6.1.4.1.9.2.2.1.1.6.10.7": "",
		"1.3.6.1.2.1.2.2.1.100.7":      "",
	} {
		if got := discontinuityOf(oid); got != want {
			t.Errorf("discontinuityOf(%s) = %q, want %q", oid, got, want)
		}
	}
}

func TestSpeedBounds(t *testing.T) {
	t.Parallel()
	if s, err := ParseSpeed(fmt.Sprint(math.MaxInt64)); err == nil {
		t.Errorf("ParseSpeed(2^63-1) = %v", s)
	}
}

// TestFlat shows that params written with redis-cli, one field each, arrive.
func TestFlat(t *testing.T) {
	t.Parallel()
	fields := map[string]string{
		"id": "core1", "command": "snmp", "every": "60s",
		"params.host": "192.0.2.1", "params.port": "1161", "params.version": "3", "params.user": "monitor", "params.retries": "0",
		"params.auth_protocol": "sha256", "params.auth_password.secret": "core-auth",
		"params.interfaces": "12,xe-0/0/1", "params.port_speed": "10Gb", "params.watch": "status,traffic",
		"params.traffic.crit_max": "90%", "params.traffic.crit_max_reason": "FULL", "params.traffic_in.warn_max": "5",
		"params.oids": `[{"oid":"1.3.6.1","name":"x","warn_values":[1,"2"],"multiplier":0.1}]`,
	}
	req, err := check.ParseRequest(fields)
	if err != nil {
		t.Fatal(err)
	}
	cmd, err := factory(tools.Tools{})(req.Check.Params)
	if err != nil {
		t.Fatalf("factory(%s) = %v", req.Check.Params, err)
	}
	p := cmd.(*command).Params
	if p.Port != 1161 || p.Retries != 0 || p.Version != "3" || p.AuthPassword.Name != "core-auth" || len(p.Interfaces) != 2 || p.Interfaces[0].Index != 12 ||
		p.Interfaces[1].Name != "xe-0/0/1" || p.PortSpeed != 1e10 || len(p.Watch) != 2 || p.Traffic.CritMax != (Limit{true, true, 90}) ||
		p.TrafficIn == nil || p.TrafficIn.WarnMax.Value != 5 || len(p.OIDs[0].WarnValues) != 2 {
		t.Errorf("params = %+v", p)
	}
}
