// Package snmp is the command that reads objects of a device by SNMP: gauges,
// counters as rates, statuses and texts, of the device or of its interfaces.
package snmp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands/internal/snmpclient"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
)

// Params are the settings of a check with this command.
type Params struct {
	snmpclient.Settings
	// OIDs are objects of the user's choice.
	OIDs []Monitor `json:"oids,omitempty"`
	// Interfaces are what {index} in OIDs stands for, and what Watch watches.
	Interfaces Interfaces `json:"interfaces,omitempty"`
	// Watch names what is watched of each interface: status, traffic, errors,
	// discards. nil is all of them, unless an OID has {index}: then nothing.
	Watch []string `json:"watch,omitzero"`
	// PortSpeed is what percentages are of.
	PortSpeed Speed `json:"port_speed,omitempty"`
	// Traffic grades bits per second both ways, TrafficIn and TrafficOut one
	// way instead; Errors and Discards grade packets per second.
	Traffic    Limits  `json:"traffic,omitzero"`
	TrafficIn  *Limits `json:"traffic_in,omitempty"`
	TrafficOut *Limits `json:"traffic_out,omitempty"`
	Errors     Limits  `json:"errors,omitzero"`
	Discards   Limits  `json:"discards,omitzero"`
}

// maxObjects bounds what one check asks for.
const maxObjects = 256

// Defaults are the params of a check that names its host and objects only.
func Defaults() Params { return Params{Settings: snmpclient.DefaultSettings()} }

// command is the check made ready. It holds no connection: the pool does.
type command struct {
	Params
	pool    *snmpclient.Pool
	objects []object
	// selectors are the interfaces that must be looked up, numbers which of
	// Interfaces those are. fixed is the layout when there are none.
	selectors []snmpclient.Selector
	numbers   []int
	fixed     *layout
	askSpeed  bool // some object needs a port speed
}

// New makes the command with a worker's tools. What it makes shares one pool
// of sessions.
func New(t tools.Tools) func(Params) (check.Command, error) {
	pool := snmpclient.NewPool(t)
	return func(p Params) (check.Command, error) {
		c, err := compile(p)
		if err != nil {
			return nil, err
		}
		c.pool = pool
		return c, nil
	}
}

// compile checks params and prepares what every run needs.
func compile(p Params) (*command, error) {
	c := &command{Params: p}
	each := slices.ContainsFunc(p.OIDs, func(m Monitor) bool { return m.indexed() })
	if p.Watch == nil && len(p.Interfaces) > 0 && !each {
		c.Watch = allWatches
	}
	if err := errors.Join(p.Settings.Validate(), p.Interfaces.validate(), c.validate(each)); err != nil {
		return nil, err
	}
	if err := c.compileObjects(); err != nil {
		return nil, err
	}
	if n := c.points(); n > maxObjects {
		return nil, fmt.Errorf("oids, interfaces: %d objects, want at most %d; split the check", n, maxObjects)
	}
	found := make([]snmpclient.Interface, len(p.Interfaces))
	for i := range p.Interfaces {
		found[i].Index = p.Interfaces[i].Index
		if found[i].Index == 0 {
			c.selectors, c.numbers = append(c.selectors, p.Interfaces[i].selector()), append(c.numbers, i)
			found[i].Index = ^uint32(0) - uint32(i) // the longest index, for the names' sake
		}
	}
	l := c.lay(found)
	if err := l.names(); err != nil {
		return nil, err
	}
	if len(c.selectors) == 0 {
		c.fixed = l
	}
	return c, nil
}

// points counts the objects, those of each interface by themselves.
func (c *command) points() (n int) {
	for i := range c.objects {
		if c.objects[i].each {
			n += len(c.Interfaces)
		} else {
			n++
		}
	}
	return n
}

func (c *command) validate(each bool) error {
	var faults []error
	if len(c.OIDs) == 0 && len(c.Watch) == 0 {
		faults = append(faults, errors.New("oids: nothing to ask for; give oids, or interfaces"))
	}
	if each && len(c.Interfaces) == 0 {
		faults = append(faults, fmt.Errorf("interfaces: missing, an OID has %s", indexMark))
	}
	if len(c.Watch) > 0 && len(c.Interfaces) == 0 {
		faults = append(faults, errors.New("interfaces: missing, watch is about them"))
	}
	if len(c.OIDs) > maxObjects || len(c.Interfaces) > maxObjects {
		faults = append(faults, fmt.Errorf("oids, interfaces: want at most %d", maxObjects))
	}
	for _, l := range []struct {
		field  string
		limits *Limits
	}{
		{"traffic.", &c.Traffic}, {"traffic_in.", c.TrafficIn}, {"traffic_out.", c.TrafficOut},
		{"errors.", &c.Errors}, {"discards.", &c.Discards},
	} {
		if l.limits != nil {
			faults = append(faults, l.limits.validate(l.field))
		}
	}
	if c.Errors.percent() || c.Discards.percent() {
		faults = append(faults, errors.New("errors, discards: packets are no part of the port speed, want numbers"))
	}
	return errors.Join(faults...)
}

// compileObjects makes the ready-made objects, the status first, and the
// user's own.
func (c *command) compileObjects() (err error) {
	if c.objects, err = c.readyMade(); err != nil {
		return err
	}
	var faults []error
	for i, m := range c.OIDs {
		field := fmt.Sprintf("oids[%d].", i)
		o, err := m.compile(field)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		if o.percent() && !o.each && c.PortSpeed == 0 {
			faults = append(faults, fmt.Errorf("port_speed: missing, %s has a percentage of it", field[:len(field)-1]))
		}
		c.objects = append(c.objects, o)
	}
	c.askSpeed = slices.ContainsFunc(c.objects, func(o object) bool { return o.each && (o.percent() || o.share != "") })
	return errors.Join(faults...)
}

// Run asks the device and grades what it says.
func (c *command) Run(ctx context.Context, run check.Run) (check.Result, error) {
	client, err := c.pool.Client(&c.Settings)
	if err != nil {
		return check.Result{}, err
	}
	defer client.Close()
	l, values, err := c.read(ctx, client)
	if err != nil {
		return snmpclient.Failure(err, time.Now())
	}
	return c.grade(l, values, run.Last), nil
}

// read asks for everything. When an interface is no longer where it was, it is
// looked up again, once.
func (c *command) read(ctx context.Context, client *snmpclient.Client) (*layout, []snmpclient.Value, error) {
	for again := false; ; again = true {
		l, err := c.layout(ctx, client, again)
		if err != nil {
			return nil, nil, err
		}
		values, err := client.Get(ctx, l.oids)
		if err != nil {
			return nil, nil, err
		}
		if moved := l.moved(values); moved && !again {
			continue
		}
		return l, values, l.twins(ctx, client, values)
	}
}

// layout gives the layout of this run.
func (c *command) layout(ctx context.Context, client *snmpclient.Client, again bool) (*layout, error) {
	if c.fixed != nil {
		return c.fixed, nil
	}
	looked, err := client.Interfaces(ctx, c.selectors, again)
	if err != nil {
		return nil, err
	}
	found := make([]snmpclient.Interface, len(c.Interfaces))
	for i := range c.Interfaces {
		found[i].Index = c.Interfaces[i].Index
	}
	for i, number := range c.numbers {
		found[number] = looked[i]
	}
	return c.lay(found), nil
}

// moved says whether an interface that was looked up has another name now, and
// strikes it from the layout.
func (l *layout) moved(values []snmpclient.Value) (moved bool) {
	for i := range l.ports {
		p := &l.ports[i]
		if p.proof >= 0 && !p.selector().Proves(&values[p.proof]) {
			p.found.Index, moved = 0, true
		}
	}
	return moved
}

// twins asks for the counters of 32 bits where those of 64 are missing.
func (l *layout) twins(ctx context.Context, client *snmpclient.Client, values []snmpclient.Value) error {
	var oids []string
	var places []int
	for _, p := range l.points {
		if p.twin != "" && p.place >= 0 && values[p.place].Type == snmpclient.Missing {
			oids, places = append(oids, p.twin), append(places, p.place)
		}
	}
	if len(oids) == 0 {
		return nil
	}
	found, err := client.Get(ctx, oids)
	for i := range found {
		values[places[i]] = found[i]
	}
	return err
}
