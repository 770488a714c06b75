package snmp

import (
	"fmt"
	"slices"
	"strings"

	"github.com/redpoll/redpoll/pkg/commands/internal/snmpclient"
)

// Objects of SNMPv2-MIB and IF-MIB, by number: no MIB is read at run time.
const (
	sysUpTime = "1.3.6.1.2.1.1.3.0"

	ifTable       = "1.3.6.1.2.1.2.2.1."
	ifOperStatus  = ifTable + "8."
	ifInOctets    = ifTable + "10."
	ifInDiscards  = ifTable + "13."
	ifInErrors    = ifTable + "14."
	ifOutOctets   = ifTable + "16."
	ifOutDiscards = ifTable + "19."
	ifOutErrors   = ifTable + "20."

	ifXTable        = "1.3.6.1.2.1.31.1.1.1."
	ifHCInOctets    = ifXTable + "6."
	ifHCOutOctets   = ifXTable + "10."
	ifHighSpeed     = ifXTable + "15." // in units of 1,000,000 bits per second
	ifDiscontinuity = ifXTable + "19."
)

// The columns of IF-MIB that are counters, by the table's prefix.
var ifCounters = map[string][]string{
	ifTable:  {"10", "11", "12", "13", "14", "15", "16", "17", "18", "19", "20"},
	ifXTable: {"2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13"},
}

// discontinuityOf gives the object that tells about interruptions of a counter
// of IF-MIB; empty for other objects.
func discontinuityOf(oid string) string {
	for table, columns := range ifCounters {
		rest, ok := strings.CutPrefix(oid, table)
		column, index, _ := strings.Cut(rest, ".")
		if ok && slices.Contains(columns, column) && index != "" && !strings.Contains(index, ".") {
			return ifDiscontinuity + index
		}
	}
	return ""
}

// What Params.Watch may name.
const (
	watchStatus   = "status"
	watchTraffic  = "traffic"
	watchErrors   = "errors"
	watchDiscards = "discards"
)

var allWatches = []string{watchStatus, watchTraffic, watchErrors, watchDiscards}

// readyMade gives the objects of an interface that p.Watch names.
func (p *Params) readyMade() ([]object, error) {
	var all []object
	for _, watch := range p.Watch {
		switch watch {
		case watchStatus:
			all = append(all, status())
		case watchTraffic:
			all = append(all, p.traffic("in", ifHCInOctets, ifInOctets, p.TrafficIn), p.traffic("out", ifHCOutOctets, ifOutOctets, p.TrafficOut))
		case watchErrors:
			all = append(all, trouble("in_errors", ifInErrors, p.Errors, ReasonErrorsHigh), trouble("out_errors", ifOutErrors, p.Errors, ReasonErrorsHigh))
		case watchDiscards:
			all = append(all, trouble("in_discards", ifInDiscards, p.Discards, ReasonDiscardsHigh), trouble("out_discards", ifOutDiscards, p.Discards, ReasonDiscardsHigh))
		default:
			return nil, fmt.Errorf("watch: %.32q, want %s", watch, strings.Join(allWatches, ", "))
		}
	}
	return all, nil
}

func status() object {
	o := object{Monitor: Monitor{Name: "oper_status", UpValues: []Scalar{"1"}}, oid: ifOperStatus + indexMark, each: true, factor: 1}
	o.reasons()
	return o
}

// traffic are octets one way. Devices without the counters of 64 bits, and all
// of version 1, have those of 32.
func (p *Params) traffic(way, hc, old string, own *Limits) object {
	limits := p.Traffic
	if own != nil {
		limits = *own
	}
	o := object{
		Monitor: Monitor{Name: way + "_octets", Limits: limits.named(ReasonBWHigh, ReasonBWLow)},
		oid:     hc + indexMark, twin: old + indexMark, each: true, factor: 8,
		rate: way + "_bits_per_second", share: way + "_utilization_percent",
		count: "bytes", perSecond: "bits_per_second",
	}
	if p.Version == snmpclient.V1 {
		o.oid, o.twin = o.twin, ""
	}
	return o
}

// trouble are packets that went wrong. Not every interface counts them.
func trouble(name, oid string, limits Limits, reason string) object {
	return object{
		Monitor: Monitor{Name: name, Optional: limits.IsZero(), Limits: limits.named(reason, ReasonValueLow)},
		oid:     oid + indexMark, each: true, factor: 1, rate: name + rateSuffix, count: "packets", perSecond: "packets_per_second",
	}
}
