package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// write prints the description for people. Writes to w do not fail.
func (d *description) write(w io.Writer, p *printer, now int64) {
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%-12s%s\n", name+":", clean(fmt.Sprintf(format, args...)))
	}
	past := func(ms int64) string {
		return fmt.Sprintf("%s (%s)", clock(ms), ago(time.Duration(now-ms)*time.Millisecond))
	}
	line("Check", "%s", d.target())
	if d.Error != "" {
		line("Error", "%s", strings.ReplaceAll(d.Error, "\n", "; "))
	}
	if d.check != nil {
		d.writeSpec(line)
	}
	if d.Last == nil {
		line("State", "none yet: no run has been committed")
	} else {
		fmt.Fprintf(w, "%-12s%s since %s\n", "State:", p.paint(d.State), past(d.Since))
		d.writeLast(line, past)
	}
	for _, r := range d.Downtimes {
		line("Downtime", "%s, %s, until %s", r.ID, r.when(now), clock(r.End))
	}
	switch {
	case d.Due != 0 && d.Due <= now:
		line("Due", "now, since %s", past(d.Due))
	case d.Due != 0:
		line("Due", "%s", past(d.Due))
	}
	if d.Run != nil {
		d.writeRun(line, past)
	}
	if d.Last != nil {
		writeMetrics(w, d.Last.Metrics)
	}
}

// writeMetrics prints metrics for people.
func writeMetrics(w io.Writer, metrics []check.Metric) {
	if len(metrics) > 0 {
		fmt.Fprintln(w, "Metrics:")
	}
	for _, m := range metrics {
		fmt.Fprintf(w, "  %-28s %s\n", clean(m.Name), clean(metricText(m)))
	}
}

type lineFunc func(name, format string, args ...any)

func (d *description) writeSpec(line lineFunc) {
	c := d.check
	line("Command", "%s", c.Command)
	if len(c.Params) > 0 {
		line("Params", "%s", c.Params)
	}
	line("Schedule", "%s%s", scheduleText(c), map[bool]string{true: ", PAUSED"}[c.Paused])
	line("Timeout", "%s", shortDuration(c.TimeoutOr()))
	if c.AttemptsOr() > 1 {
		line("Attempts", "%d", c.AttemptsOr())
	}
	if c.Handlers != nil {
		line("Handlers", "%s", cmpOr(strings.Join(c.Handlers, ", "), "none"))
	}
	if len(c.Labels) > 0 {
		var all []string
		for _, k := range slices.Sorted(maps.Keys(c.Labels)) {
			all = append(all, k+"="+c.Labels[k])
		}
		line("Labels", "%s", strings.Join(all, ", "))
	}
	if len(c.Meta) > 0 {
		text, _ := json.Marshal(c.Meta) // came from JSON
		line("Meta", "%s", text)
	}
	if len(d.Parents) > 0 {
		var all []string
		for _, p := range d.Parents {
			all = append(all, p.ID+" ("+p.State+")")
		}
		line("Parents", "%s", strings.Join(all, ", "))
	}
	if c.Flap != nil {
		f := c.Flap.Filled()
		line("Flapping", "from %d%% of the last %d results on, until fewer than %d%%", f.High, f.Window, f.Low)
	}
	if c.SuppressIncidents {
		line("Incidents", "suppressed")
	}
}

func (d *description) writeLast(line lineFunc, past func(int64) string) {
	if d.Reason != "" {
		line("Reason", "%s", d.Reason)
	}
	if d.Text != "" {
		line("Text", "%s", d.Text)
	}
	l := d.Last
	line("Last run", "%s by %s, took %s, %s late", past(l.Started), l.Worker,
		time.Duration(l.Finished-l.Started)*time.Millisecond, time.Duration(l.Started-l.Planned)*time.Millisecond)
	if l.Fails > 0 {
		line("Not OK", "%d in a row", l.Fails)
	}
	if l.Held != "" {
		line("Held", "%s", heldText(l.Held))
	}
	if inc := l.Open(); inc != nil {
		line("Incident", "%s: %s -> %s, open since %s", inc.ID, inc.From, inc.To, past(inc.Opened))
	}
}

func (d *description) writeRun(line lineFunc, past func(int64) string) {
	r := d.Run
	text := r.State
	if r.Owner != "" {
		text += " by " + r.Owner
	}
	if r.Expiry != 0 && r.Owner != "" {
		text += ", lease until " + clock(r.Expiry)
	}
	if r.Crashes > 0 {
		text += ", workers lost: " + strconv.Itoa(r.Crashes)
	}
	if r.Again {
		text += ", again at once after this run"
	}
	line("Now", "%s", text)
	line("Revision", "%s, lane %s", r.Rev, d.Lane)
	if r.Planned != 0 {
		line("Planned", "%s", past(r.Planned))
	}
}

// metricText writes a metric's value with its unit.
func metricText(m check.Metric) string {
	value := m.Str
	switch m.Kind {
	case check.KindGauge:
		value = gaugeText(m.Value)
	case check.KindCounter:
		value = strconv.FormatUint(m.Count, 10)
	}
	if m.Unit != "" {
		value += " " + m.Unit
	}
	return value
}

// gaugeText writes six digits or the whole number, as people read them:
// without an exponent, unless the number is very large or small.
func gaugeText(v float64) string {
	text := strconv.FormatFloat(v, 'g', 6, 64)
	switch size := math.Abs(v); {
	case size >= 1e5 && size < 1e15:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case size >= 1e-9 && size < 1e15:
		v, _ = strconv.ParseFloat(text, 64) // rounds
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return text
}
