package snmp

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/check/checktest"
	"github.com/redpoll/redpoll/pkg/commands/internal/snmptest"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
)

// runner runs one check again and again, each time with the last result as
// Redis would have kept it.
type runner struct {
	t    *testing.T
	cmd  check.Command
	last *check.Last
	gap  time.Duration // since the last result, as far as back says
}

func newRunner(t *testing.T, port int, params string) *runner {
	t.Helper()
	cmd, err := factory(tools.Tools{})(json.RawMessage(fmt.Sprintf(`{"host":"127.0.0.1","port":%d,"timeout":"1s",%s}`, port, params)))
	if err != nil {
		t.Fatal(err)
	}
	return &runner{t: t, cmd: cmd}
}

func (r *runner) run() check.Result {
	r.t.Helper()
	res, err := r.cmd.Run(r.t.Context(), check.Run{Check: &check.Check{ID: "c"}, Planned: time.Now(), Last: r.last})
	if err != nil {
		r.t.Fatal(err)
	}
	if res.At.IsZero() {
		r.t.Error("Result.At is not set")
	}
	text, err := json.Marshal(check.Last{Result: res})
	if err != nil {
		r.t.Fatal(err)
	}
	if r.gap > 0 {
		r.exactly(res)
	}
	r.last, r.gap = &check.Last{}, 0
	if err := json.Unmarshal(text, r.last); err != nil {
		r.t.Fatal(err)
	}
	return res
}

// exactly makes the rates of a result those of just the gap that back made, and
// not of the time too that the test itself took between the two samples.
func (r *runner) exactly(res check.Result) {
	longer := res.At.Sub(r.last.At).Seconds() / r.gap.Seconds()
	for i := range res.Metrics {
		if m := &res.Metrics[i]; strings.Contains(m.Name, "_per_second") || strings.Contains(m.Name, "_percent") {
			m.Value *= longer
		}
	}
}

// back moves the last result into the past: the next run is that much later.
func (r *runner) back(d time.Duration) {
	r.gap = d
	r.last.At = r.last.At.Add(-d)
	for i := range r.last.Metrics {
		if m := &r.last.Metrics[i]; !m.At.IsZero() {
			m.At = m.At.Add(-d)
		}
	}
}

func want(t *testing.T, res check.Result, state check.State, reason string) {
	t.Helper()
	if res.State != state || res.Reason != reason {
		t.Errorf("result %v %s %q, want %v %s", res.State, res.Reason, res.Text, state, reason)
	}
}

// metric compares a metric; NaN wants it not to be there.
func metric(t *testing.T, res check.Result, name string, want float64) {
	t.Helper()
	m, ok := res.Metric(name)
	switch {
	case math.IsNaN(want) && ok:
		t.Errorf("metric %s = %v, want none", name, m)
	case math.IsNaN(want):
	case !ok:
		t.Errorf("no metric %s among %v", name, res.Metrics)
	case m.Kind == check.KindCounter && float64(m.Count) != want,
		m.Kind == check.KindGauge && math.Abs(m.Value-want) > 0.02*math.Abs(want)+1e-9:
		t.Errorf("metric %s = %+v, want %v", name, m, want)
	}
}

var none = math.NaN()

const inOctets32 = `"oids":[{"oid":"1.3.6.1.2.1.2.2.1.10.3","name":"in","crit_max":1000,"crit_max_reason":"HOT"}]`

// TestWrap is fault 2 from the packet to the rate.
func TestWrap(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		from, to snmptest.Value
		want     float64 // after 10 s
	}{
		{"32 bits", snmptest.Counter32(4294967295), snmptest.Counter32(0), 0.1},
		{"32 bits by 100", snmptest.Counter32(4294967200), snmptest.Counter32(4), 10},
		{"64 bits past 2^32", snmptest.Counter64(4294967295), snmptest.Counter64(4294967395), 10},
		{"64 bits", snmptest.Counter64(math.MaxUint64), snmptest.Counter64(99), 10},
		{"64 bits back", snmptest.Counter64(4294967295), snmptest.Counter64(0), none},
		{"32 bits become 64", snmptest.Counter32(5), snmptest.Counter64(105), none},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := snmptest.NewAgent(t)
			r := newRunner(t, a.Port, inOctets32)
			a.Set(sysUpTime, snmptest.Ticks(100000))
			a.Set("1.3.6.1.2.1.2.2.1.10.3", tt.from)
			r.run()
			r.back(10 * time.Second)
			a.Set(sysUpTime, snmptest.Ticks(101000))
			a.Set("1.3.6.1.2.1.2.2.1.10.3", tt.to)
			res := r.run()
			want(t, res, check.StateOK, "")
			metric(t, res, "in_per_second", tt.want)
		})
	}
}

// TestReboot is fault 3 from the packet to the rate.
func TestReboot(t *testing.T) {
	t.Parallel()
	a := snmptest.NewAgent(t)
	r := newRunner(t, a.Port, inOctets32)
	sample := func(up, count, broken uint32, wantRate float64) {
		t.Helper()
		if r.last != nil {
			r.back(time.Minute)
		}
		a.Set(sysUpTime, snmptest.Ticks(up))
		a.Set("1.3.6.1.2.1.2.2.1.10.3", snmptest.Counter32(count))
		a.Set(ifDiscontinuity+"3", snmptest.Ticks(broken))
		res := r.run()
		want(t, res, check.StateOK, "")
		metric(t, res, "in_per_second", wantRate)
		if math.IsNaN(wantRate) && !strings.Contains(res.Text, "without a rate") {
			t.Errorf("text = %q, want it to tell why there is no rate", res.Text)
		}
	}
	sample(4294960000, 4000000000, 0, none)
	sample(4294966000, 4000060000, 0, 1000)
	sample(4704, 4000120000, 0, 1000) // 497 days are full
	sample(3000, 500, 0, none)        // a reboot: no wrap of the counter
	sample(9000, 30500, 0, 500)
	sample(15000, 100, 14000, none) // the line card was changed
	sample(21000, 6100, 14000, 100)
}

// TestSameInstant is fault 4 from the packet to the rate.
func TestSameInstant(t *testing.T) {
	t.Parallel()
	a := snmptest.NewAgent(t)
	a.Set(sysUpTime, snmptest.Ticks(100))
	a.Set("1.3.6.1.2.1.2.2.1.10.3", snmptest.Counter32(1))
	r := newRunner(t, a.Port, inOctets32)
	r.run()
	for range 3 {
		a.Set("1.3.6.1.2.1.2.2.1.10.3", snmptest.Counter32(1000000))
		last := time.Now().Add(50 * time.Millisecond)
		r.last.At = last
		res := r.run()
		if res.At.Sub(last) >= minGap {
			continue // the machine stood still: these are two instants
		}
		want(t, res, check.StateOK, "")
		metric(t, res, "in_per_second", none)
	}
}

// TestFault5 shows that the first sample of a counter is no problem.
func TestFault5(t *testing.T) {
	t.Parallel()
	a := snmptest.NewAgent(t)
	a.Set(sysUpTime, snmptest.Ticks(100))
	a.Set("1.3.6.1.2.1.2.2.1.10.3", snmptest.Counter32(4000000000))
	for _, last := range []*check.Last{
		nil,
		{}, // a run without metrics
		{Result: check.Result{State: check.StateCrit, At: noon, Metrics: []check.Metric{check.Gauge("in", 1, "")}}},
		{Result: check.Result{Metrics: []check.Metric{check.Counter("in", 1, 32, "")}}}, // no time
	} {
		r := newRunner(t, a.Port, inOctets32)
		r.last = last
		res := r.run()
		want(t, res, check.StateOK, "")
		metric(t, res, "in", 4000000000)
		metric(t, res, "in_per_second", none)
		_, change := check.Advance(&check.Check{ID: "c"}, nil, res, time.Now(), check.Circumstances{})
		if change != check.ChangeNone {
			t.Errorf("the first sample makes an incident: %v", change)
		}
	}
}

// TestSampleTimes is fault 7 from the packet to the rate: the times of the runs
// around the samples do not matter.
func TestSampleTimes(t *testing.T) {
	t.Parallel()
	a := snmptest.NewAgent(t)
	a.Set("1.3.6.1.2.1.2.2.1.10.3", snmptest.Counter32(0))
	r := newRunner(t, a.Port, inOctets32)
	r.run()
	r.last.Planned, r.last.Started, r.last.Finished = 1, 2, 3
	m := &r.last.Metrics[0]
	m.At, r.last.At = time.Now().Add(-20*time.Second), time.Now().Add(-time.Hour)
	a.Set("1.3.6.1.2.1.2.2.1.10.3", snmptest.Counter32(20000))
	from := m.At
	res := r.run()
	metric(t, res, "in_per_second", 20000/res.At.Sub(from).Seconds())
}

func TestThresholdsSeeRates(t *testing.T) {
	t.Parallel()
	a := snmptest.NewAgent(t)
	a.Set("1.3.6.1.2.1.2.2.1.10.3", snmptest.Counter32(0))
	r := newRunner(t, a.Port, inOctets32)
	r.run()
	r.back(time.Second)
	a.Set("1.3.6.1.2.1.2.2.1.10.3", snmptest.Counter32(5000))
	want(t, r.run(), check.StateCrit, "HOT")
	r.back(10 * time.Second)
	want(t, r.run(), check.StateOK, "")
}

func TestObjects(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, params string
		value        snmptest.Value
		state        check.State
		reason       string
		metric       float64
	}{
		{"gauge", `"warn_max":80`, snmptest.Gauge(80), check.StateOK, "", 80},
		{"too high", `"warn_max":80`, snmptest.Gauge(81), check.StateWarn, ReasonValueHigh, 81},
		{"own reason", `"warn_max":80,"warn_max_reason":"HOT"`, snmptest.Gauge(81), check.StateWarn, "HOT", 81},
		{"too low", `"crit_min":-5`, snmptest.Int(-6), check.StateCrit, ReasonValueLow, -6},
		{"multiplier", `"multiplier":0.1,"crit_max":50`, snmptest.Int(505), check.StateCrit, ReasonValueHigh, 50.5},
		{"percent", `"warn_max":"80%"`, snmptest.Gauge(810000000), check.StateWarn, ReasonBWHigh, 81e7},
		{"percent low", `"crit_min":"10%"`, snmptest.Gauge(1), check.StateCrit, ReasonBWLow, 1},
		{"float", `"crit_max":1`, snmptest.Float(0x3fc00000), check.StateCrit, ReasonValueHigh, 1.5},
		{"ticks", `"multiplier":0.01`, snmptest.Ticks(250), check.StateOK, "", 2.5},
		{"number in a text", `"crit_max":5`, snmptest.Octets(" 7.5\n"), check.StateCrit, ReasonValueHigh, 7.5},
		{"text for a number", `"crit_max":5`, snmptest.Octets("hot"), check.StateUnknown, "CMD_FAILURE", 0},
		{"warn value", `"warn_values":[3,"4"]`, snmptest.Int(4), check.StateWarn, ReasonBadStatus, 4},
		{"crit value", `"warn_values":[3],"crit_values":[3],"crit_values_reason":"DEAD"`, snmptest.Int(3), check.StateCrit, "DEAD", 3},
		{"other value", `"warn_values":[3],"crit_values":[5]`, snmptest.Int(4), check.StateOK, "", 4},
		{"text value", `"crit_values":["failed"]`, snmptest.Octets("failed\x00"), check.StateCrit, ReasonBadStatus, 0},
		{"up", `"up_values":[1]`, snmptest.Int(1), check.StateOK, "", 1},
		{"not up", `"up_values":[1]`, snmptest.Int(6), check.StateCrit, ReasonIfaceDown, 0},
		{"down", `"down_values":[2,7],"down_reason":"FAN_OUT"`, snmptest.Int(7), check.StateCrit, "FAN_OUT", 0},
		{"not down", `"down_values":[2,7]`, snmptest.Int(5), check.StateOK, "", 1},
		{"up and down, neither", `"up_values":[1],"down_values":[2]`, snmptest.Int(3), check.StateCrit, ReasonIfaceDown, 0},
		{"up, with warning", `"up_values":[1,5],"warn_values":[5]`, snmptest.Int(5), check.StateWarn, ReasonBadStatus, 1},
		{"missing", `"crit_max":1`, snmptest.NoSuchInstance, check.StateUnknown, "CMD_FAILURE", none},
		{"missing but optional", `"crit_max":1,"optional":true`, snmptest.NoSuchObject, check.StateOK, "", none},
		{"not a number", `"crit_max":1`, snmptest.Float(0x7fc00000), check.StateUnknown, "CMD_FAILURE", none},
		{"no such type", `"crit_max":1`, snmptest.TLV(0x55, []byte{1}), check.StateUnknown, "CMD_FAILURE", none},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := snmptest.NewAgent(t)
			a.Set("1.3.6.9", tt.value)
			res := newRunner(t, a.Port, `"port_speed":"1Gb","oids":[{"oid":"1.3.6.9","name":"x",`+tt.params+`}]`).run()
			want(t, res, tt.state, tt.reason)
			metric(t, res, "x", tt.metric)
		})
	}
}

// TestTexts shows that texts of a device are printable and bounded, in metrics
// and in results.
func TestTexts(t *testing.T) {
	t.Parallel()
	for _, text := range []string{strings.Repeat("x", 50000), strings.Repeat("\u202e", 20000), "a\x00b\x1b[2J\r\nc", strings.Repeat("\xff", 4000), strings.Repeat("é", 3000)} {
		a := snmptest.NewAgent(t)
		a.Set("1.3.6.1", snmptest.Octets(text))
		for _, params := range []string{`"optional":false`, `"up_values":[1]`, `"crit_max":5`} {
			res := newRunner(t, a.Port, `"oids":[{"oid":"1.3.6.1","name":"x",`+params+`}]`).run()
			m, _ := res.Metric("x")
			if len(m.Str) > maxText || len(res.Text) > 512 {
				t.Errorf("texts of %d and %d bytes", len(m.Str), len(res.Text))
			}
			before := fmt.Sprint(res)
			if dropped := res.Clean(); len(dropped) > 0 || fmt.Sprint(res) != strings.ReplaceAll(before, "\n", " ") {
				t.Errorf("the result of %.20q needs to be cleaned: %.200s, dropped %v", text, before, dropped)
			}
		}
	}
}

func TestWorstComesFirst(t *testing.T) {
	t.Parallel()
	a := snmptest.NewAgent(t)
	a.Set("1.3.6.2", snmptest.Int(9))
	a.Set("1.3.6.3", snmptest.Int(9))
	a.Set("1.3.6.4", snmptest.Int(9))
	res := newRunner(t, a.Port, `"oids":[{"oid":"1.3.6.1","name":"a"},{"oid":"1.3.6.2","name":"b","warn_max":1},
		{"oid":"1.3.6.3","name":"c","crit_max":1,"crit_max_reason":"FIRST"},{"oid":"1.3.6.4","name":"d","crit_max":1}]`).run()
	want(t, res, check.StateCrit, "FIRST")
	if !strings.HasPrefix(res.Text, "c is 9, over 1") || !strings.Contains(res.Text, "3 more") {
		t.Errorf("text = %q", res.Text)
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	a := snmptest.NewAgent(t)
	a.Script(func(snmptest.Request) [][]byte { return nil })
	r := newRunner(t, a.Port, `"retries":1,"interfaces":1`)
	begin := time.Now()
	want(t, r.run(), check.StateCrit, "CONNECTION_ERROR")
	if took := time.Since(begin); took < time.Second || took > 4*time.Second {
		t.Errorf("gave up after %v, want 2 s", took)
	}
	a.Script(func(r snmptest.Request) [][]byte { return [][]byte{{0x30, 3, 2, 1}} })
	want(t, r.run(), check.StateUnknown, "CMD_FAILURE")
}

// TestMany shows that 50 runs of one check at once all get their own answers.
func TestMany(t *testing.T) {
	t.Parallel()
	a := snmptest.NewAgent(t)
	var oids []string
	for i := range 40 {
		a.Set(fmt.Sprintf("1.3.6.%d", i), snmptest.Gauge(uint32(i)))
		oids = append(oids, fmt.Sprintf(`{"oid":"1.3.6.%d","name":"n%d","crit_min":%d,"crit_max":%d}`, i, i, i, i))
	}
	r := newRunner(t, a.Port, `"oids":[`+strings.Join(oids, ",")+`]`)
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			for range 5 {
				res, err := r.cmd.Run(t.Context(), check.Run{Check: &check.Check{ID: "c"}})
				if err != nil || res.State != check.StateOK || len(res.Metrics) != 40 {
					t.Errorf("Run = %v, %v", res, err)
				}
			}
		})
	}
	group.Wait()
	if a.Sources() > 250 {
		t.Errorf("%d sockets", a.Sources())
	}
}

func TestConformance(t *testing.T) {
	a, hang := snmptest.NewAgent(t), snmptest.NewAgent(t)
	device(a, 1, "ge-0/0/0", "uplink")
	hang.Script(func(snmptest.Request) [][]byte { return nil })
	at := func(a *snmptest.Agent, rest string) string {
		return fmt.Sprintf(`{"host":"127.0.0.1","port":%d,%s}`, a.Port, rest)
	}
	checktest.Command(t, factory(tools.Tools{}), checktest.Case{
		OK:   at(a, `"interfaces":["ge-0/0/0",{"alias":"uplink"}]`),
		Hang: at(hang, `"interfaces":[1]`),
		More: []string{
			at(a, `"interfaces":["ge-0/0/0"],"traffic":{"warn_max":"80%"}`),
			at(a, `"interfaces":["none"]`),
			at(a, `"interfaces":[9]`),
			at(a, `"oids":[{"oid":"1.3.6.1.2.1.2.2.1.8.1","name":"status","crit_values":[1]}]`),
			at(hang, `"interfaces":[1],"timeout":"50ms","retries":0`),
		},
		Bad:         []string{`{}`, `{"host":"x"}`, `{"host":"","interfaces":[1]}`, `{"host":"x","interfaces":[1],"community":"secret"}`},
		Doc:         "../../../docs/commands/snmp.md",
		Defaults:    Defaults(),
		UserMetrics: true,
	})
}
