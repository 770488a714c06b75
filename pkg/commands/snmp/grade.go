package snmp

import (
	"fmt"
	"math"
	"strconv"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands/internal/snmpclient"
)

// uptimeMetric is sysUpTime; the next run compares its own with it.
const uptimeMetric = "uptime_seconds"

// maxText is what is kept of a device's text in a metric, in bytes.
const maxText = 256

// grader makes a Result of the values of one run.
type grader struct {
	check.Result
	layout   *layout
	values   []snmpclient.Value
	speed    float64 // the check's own, 0 when there is none
	last     *check.Last
	uptime   ticks
	worst    verdict
	bad      int
	unrated  int
	whyFirst why // of the first counter without a rate
}

// grade makes the Result of a run.
func (c *command) grade(l *layout, values []snmpclient.Value, last *check.Last) check.Result {
	g := grader{layout: l, values: values, speed: float64(c.PortSpeed), last: last}
	g.At = values[0].At
	g.Metrics = make([]check.Metric, 0, 2*len(values))
	if up := &values[0]; up.Type == snmpclient.Ticks {
		g.uptime = ticks{uint32(up.Uint), true}
		g.Metrics = append(g.Metrics, check.Gauge(uptimeMetric, float64(up.Uint)/100, "seconds"))
	}
	g.ports()
	for i := range l.points {
		g.point(&l.points[i])
	}
	g.State, g.Reason = g.worst.state, g.worst.reason
	g.Text = g.summary()
	return g.Result
}

// add takes a finding in; of equally bad ones the first stays.
func (g *grader) add(v verdict) {
	if v.state == check.StateOK {
		return
	}
	g.bad++
	if v.state != g.worst.state && check.Worse(g.worst.state, v.state) == v.state {
		g.worst = v
	}
}

// unknown is a finding about a value that there is none of.
func unknown(format string, args ...any) verdict {
	return verdict{check.StateUnknown, check.ReasonCmdFailure, fmt.Sprintf(format, args...)}
}

func (g *grader) summary() string {
	switch {
	case g.bad > 1:
		return g.worst.text + " (and " + strconv.Itoa(g.bad-1) + " more)"
	case g.bad == 1:
		return g.worst.text
	case g.unrated > 0:
		return strconv.Itoa(len(g.layout.points)) + " objects read, " + strconv.Itoa(g.unrated) + " without a rate: " + string(g.whyFirst)
	}
	return strconv.Itoa(len(g.layout.points)) + " objects read"
}

// ports reports where interfaces were found, and those that were not.
func (g *grader) ports() {
	for i := range g.layout.ports {
		p := &g.layout.ports[i]
		switch {
		case p.missing():
			g.add(unknown("there is no interface %s", p.selector()))
		case p.indexMetric != "":
			g.Metrics = append(g.Metrics, check.Gauge(p.indexMetric, float64(p.found.Index), ""))
		}
	}
}

// point grades one object.
func (g *grader) point(p *point) {
	if p.port >= 0 && g.layout.ports[p.port].missing() {
		return
	}
	v := &g.values[p.place]
	switch v.Type {
	case snmpclient.Missing:
		if !p.Optional {
			g.add(unknown("%s: the device has no object %s", p.metric, g.layout.oids[p.place]))
		}
		return
	case snmpclient.Counter32, snmpclient.Counter64:
		if !p.status() {
			g.counter(p, v)
			return
		}
	}
	if p.status() {
		g.status(p, v)
		return
	}
	g.gauge(p, v)
}

// status reports 1 for up and 0 for down.
func (g *grader) status(p *point, v *snmpclient.Value) {
	text := v.String()
	up := 1.0
	if !p.up(text) {
		up = 0
		g.add(verdict{check.StateCrit, p.DownReason, p.metric + " is down (" + snmpclient.Printable(text, 64) + ")"})
	}
	g.Metrics = append(g.Metrics, check.Gauge(p.metric, up, ""))
	g.listed(p, text)
}

// listed grades values that mean a state.
func (g *grader) listed(p *point, text string) {
	switch {
	case listed(p.CritValues, text):
		g.add(verdict{check.StateCrit, p.CritValuesReason, p.metric + " is " + snmpclient.Printable(text, 64)})
	case listed(p.WarnValues, text):
		g.add(verdict{check.StateWarn, p.WarnValuesReason, p.metric + " is " + snmpclient.Printable(text, 64)})
	}
}

// gauge reports a number or a text as it is.
func (g *grader) gauge(p *point, v *snmpclient.Value) {
	text := v.String()
	g.listed(p, text)
	number, ok := v.Number()
	wanted := p.Multiplier != nil || !p.Limits.IsZero()
	if v.Type == snmpclient.Text && (!wanted || !ok) {
		g.Metrics = append(g.Metrics, check.String(p.metric, snmpclient.Printable(v.Text, maxText)))
		if !p.Limits.IsZero() {
			g.add(unknown("%s is no number: %s", p.metric, snmpclient.Printable(v.Text, 64)))
		}
		return
	}
	number *= p.factor
	if math.IsInf(number, 0) || math.IsNaN(number) {
		g.add(unknown("%s is too large a number", p.metric))
		return
	}
	g.Metrics = append(g.Metrics, check.Gauge(p.metric, number, p.Unit))
	g.limits(p, p.metric, number)
}

// limits grades a number by its thresholds.
func (g *grader) limits(p *point, name string, number float64) {
	speed := g.speedOf(p)
	if speed == 0 && p.percent() {
		g.add(unknown("%s: the port speed is not known, set port_speed", name))
		return
	}
	g.add(p.Limits.grade(name, number, speed))
}

// speedOf gives the speed that percentages of p are of; 0: not known.
func (g *grader) speedOf(p *point) float64 {
	if p.port < 0 {
		return g.speed
	}
	port := &g.layout.ports[p.port]
	switch {
	case port.PortSpeed > 0:
		return float64(port.PortSpeed)
	case g.speed > 0 || port.speed < 0:
		return g.speed
	}
	mega, _ := g.values[port.speed].Number()
	return mega * 1e6
}

// counter reports the count, which the next run needs, and its rate since the
// last sample, which is what thresholds are about.
func (g *grader) counter(p *point, v *snmpclient.Value) {
	now := sample{count: v.Uint, width: 64, at: v.At, uptime: g.uptime}
	if v.Type == snmpclient.Counter32 {
		now.width = 32
	}
	m := check.Counter(p.metric, now.count, now.width, p.count)
	if !v.At.Equal(g.At) {
		m.At = v.At
	}
	g.Metrics = append(g.Metrics, m)
	if p.broken >= 0 {
		now.broken = g.broken(p)
	}
	last := g.lastSample(p)
	perSecond, w := rate(last, now)
	if w == rated && g.indexChanged(p) {
		w = interrupts
	}
	if w != rated {
		g.unrated++
		if g.whyFirst == rated {
			g.whyFirst = w
		}
		return
	}
	value := perSecond * p.factor
	if math.IsInf(value, 0) {
		return
	}
	g.Metrics = append(g.Metrics, check.Gauge(p.rate, value, p.perSecond))
	if speed := g.speedOf(p); p.share != "" && speed > 0 {
		g.Metrics = append(g.Metrics, check.Gauge(p.share, value/speed*100, "percent"))
	}
	g.limits(p, p.rate, value)
}

// broken reads the discontinuity object and reports it once.
func (g *grader) broken(p *point) ticks {
	v := &g.values[p.broken]
	n, ok := v.Number()
	if !ok || n < 0 || n > math.MaxUint32 {
		return ticks{}
	}
	if _, there := g.Metric(p.brokenMetric); !there {
		g.Metrics = append(g.Metrics, check.Gauge(p.brokenMetric, n/100, "seconds"))
	}
	return ticks{uint32(n), true}
}

// lastSample finds the sample of the last run.
func (g *grader) lastSample(p *point) sample {
	if g.last == nil {
		return sample{}
	}
	m, ok := g.last.Metric(p.metric)
	if !ok || m.Kind != check.KindCounter {
		return sample{}
	}
	s := sample{count: m.Count, width: m.Width, at: m.At, uptime: g.lastTicks(uptimeMetric)}
	if s.at.IsZero() {
		s.at = g.last.At
	}
	if p.broken >= 0 {
		s.broken = g.lastTicks(p.brokenMetric)
	}
	return s
}

// lastTicks reads a metric of the last run that was made of TimeTicks.
func (g *grader) lastTicks(name string) ticks {
	m, ok := g.last.Metric(name)
	if hundredths := math.Round(m.Value * 100); ok && hundredths >= 0 && hundredths <= math.MaxUint32 {
		return ticks{uint32(hundredths), true}
	}
	return ticks{}
}

// indexChanged says whether the interface stood elsewhere in the last run.
func (g *grader) indexChanged(p *point) bool {
	if p.port < 0 || g.layout.ports[p.port].indexMetric == "" {
		return false
	}
	port := &g.layout.ports[p.port]
	m, ok := g.last.Metric(port.indexMetric)
	return !ok || m.Value != float64(port.found.Index)
}
