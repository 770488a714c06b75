package snmp

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands/internal/snmpclient"
)

// layout is what one run asks for, once the indexes of interfaces are known:
// the objects, and what each of them is for.
type layout struct {
	oids   []string
	points []point
	ports  []port // one for each of the check's interfaces
	at     map[string]int
}

// point is an object at a place of a layout.
type point struct {
	*object
	place int
	port  int // of layout.ports; -1: the object is of the device
	// metric, rate and share are full names.
	metric, rate, share string
	twin                string // OID, or empty
	// broken is the place of the discontinuity object, or -1; brokenMetric is
	// the metric that keeps it.
	broken       int
	brokenMetric string
}

// port is an interface at its place.
type port struct {
	*Interface
	found snmpclient.Interface
	// proof and speed are places, or -1.
	proof, speed int
	indexMetric  string // keeps the index of an interface that was looked up
}

// missing says that the device has no such interface.
func (p *port) missing() bool { return p.found.Index == 0 }

// lay makes a layout. Found has the interfaces as they were looked up.
func (c *command) lay(found []snmpclient.Interface) *layout {
	l := &layout{at: map[string]int{}}
	l.add(sysUpTime)
	for i := range c.Interfaces {
		l.ports = append(l.ports, c.layPort(l, i, found[i]))
	}
	for i := range c.objects {
		o := &c.objects[i]
		if !o.each {
			l.addPoint(o, -1)
			continue
		}
		for port := range l.ports {
			l.addPoint(o, port)
		}
	}
	return l
}

func (c *command) layPort(l *layout, i int, found snmpclient.Interface) port {
	iface := &c.Interfaces[i]
	p := port{Interface: iface, found: found, proof: -1, speed: -1}
	if p.missing() {
		return p
	}
	if iface.Index == 0 {
		p.proof, p.indexMetric = l.add(found.Proof()), "if_index."+iface.label()
	}
	if c.askSpeed && iface.PortSpeed == 0 && c.PortSpeed == 0 {
		p.speed = l.add(ifHighSpeed + strconv.FormatUint(uint64(found.Index), 10))
	}
	return p
}

// add gives the place of an OID.
func (l *layout) add(oid string) int {
	if place, ok := l.at[oid]; ok {
		return place
	}
	l.at[oid] = len(l.oids)
	l.oids = append(l.oids, oid)
	return l.at[oid]
}

// addPoint adds an object, of an interface where port is one.
func (l *layout) addPoint(o *object, port int) {
	p := point{object: o, port: port, place: -1, broken: -1, metric: o.Name, rate: o.rate, share: o.share}
	index := ""
	if port >= 0 {
		ending := "." + l.ports[port].label()
		p.metric, p.rate = p.metric+ending, p.rate+ending
		if p.share != "" {
			p.share += ending
		}
		if l.ports[port].missing() {
			l.points = append(l.points, p)
			return
		}
		index = strconv.FormatUint(uint64(l.ports[port].found.Index), 10)
	}
	oid := strings.Replace(o.oid, indexMark, index, 1)
	p.place = l.add(oid)
	if o.twin != "" {
		p.twin = strings.Replace(o.twin, indexMark, index, 1)
	}
	if o.DiscontinuityOID != "" {
		p.broken = l.add(strings.Replace(o.DiscontinuityOID, indexMark, index, 1))
		p.brokenMetric = "discontinuity_seconds." + p.metric
	} else if broken := discontinuityOf(oid); broken != "" {
		p.broken = l.add(broken)
		p.brokenMetric = "discontinuity_seconds." + broken[len(ifDiscontinuity):]
	}
	l.points = append(l.points, p)
}

// names lists the metrics that a run with this layout may make, and refuses
// those that are too long, doubled or too many.
func (l *layout) names() error {
	seen := map[string]bool{}
	add := func(name string) error {
		switch {
		case name == "":
			return nil
		case !goodName.MatchString(name):
			return fmt.Errorf("metric %.100q: longer than %d characters, give a shorter name or label", name, maxName)
		case seen[name]:
			return fmt.Errorf("metric %q would be there twice", name)
		}
		seen[name] = true
		return nil
	}
	all := []string{uptimeMetric}
	broken := map[string]bool{}
	for _, p := range l.points {
		all = append(all, p.metric)
		if !p.status() {
			all = append(all, p.rate, p.share)
		}
		if p.brokenMetric != "" && !broken[p.brokenMetric] {
			broken[p.brokenMetric] = true
			all = append(all, p.brokenMetric)
		}
	}
	for _, p := range l.ports {
		all = append(all, p.indexMetric)
	}
	for _, name := range all {
		if err := add(name); err != nil {
			return err
		}
	}
	if len(seen) > check.MaxMetrics {
		return fmt.Errorf("oids, interfaces: up to %d metrics, a result has room for %d; split the check", len(seen), check.MaxMetrics)
	}
	return nil
}
