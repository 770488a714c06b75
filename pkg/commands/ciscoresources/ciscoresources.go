// Package ciscoresources is the command that reads the load of a Cisco
// device's processor and how full its memory is, by SNMP.
package ciscoresources

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands/internal/snmpclient"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
)

// Reasons of this command.
const (
	ReasonCPU    = "CPU_USAGE_HIGH"
	ReasonMemory = "MEM_USAGE_HIGH"
)

// Params are the settings of a check with this command. Thresholds are in
// percent; nil is off.
type Params struct {
	snmpclient.Settings
	CPUWarn *float64 `json:"cpu_warn"`
	CPUCrit *float64 `json:"cpu_crit"`
	MemWarn *float64 `json:"mem_warn"`
	MemCrit *float64 `json:"mem_crit"`
	// The objects, for devices that keep them elsewhere.
	CPUOID     string `json:"cpu_oid"`
	MemFreeOID string `json:"mem_free_oid"`
	MemUsedOID string `json:"mem_used_oid"`
}

const sysUpTime = "1.3.6.1.2.1.1.3.0"

// Defaults are the params of a check that names its host only. The objects are
// avgBusy1 of OLD-CISCO-CPU-MIB, and ciscoMemoryPoolFree and
// ciscoMemoryPoolUsed of the processor's pool of CISCO-MEMORY-POOL-MIB.
func Defaults() Params {
	percent := func(p float64) *float64 { return &p }
	return Params{
		Settings: snmpclient.DefaultSettings(),
		CPUWarn:  percent(85), CPUCrit: percent(90),
		MemWarn: percent(85), MemCrit: percent(90),
		CPUOID:     "1.3.6.1.4.1.9.2.1.57.0",
		MemFreeOID: "1.3.6.1.4.1.9.9.48.1.1.1.6.1",
		MemUsedOID: "1.3.6.1.4.1.9.9.48.1.1.1.5.1",
	}
}

type command struct {
	Params
	pool *snmpclient.Pool
	oids []string
}

// The places of the objects in command.oids.
const (
	uptime = iota
	cpu
	memFree
	memUsed
)

// New makes the command with a worker's tools. What it makes shares one pool
// of sessions.
func New(t tools.Tools) func(Params) (check.Command, error) {
	pool := snmpclient.NewPool(t)
	return func(p Params) (check.Command, error) {
		c := &command{Params: p, pool: pool, oids: []string{sysUpTime}}
		faults := []error{p.Settings.Validate()}
		for _, o := range []struct{ field, oid string }{
			{"cpu_oid", p.CPUOID}, {"mem_free_oid", p.MemFreeOID}, {"mem_used_oid", p.MemUsedOID},
		} {
			oid, err := snmpclient.ParseOID(o.oid)
			if err != nil {
				faults = append(faults, fmt.Errorf("%s: %w", o.field, err))
			}
			c.oids = append(c.oids, oid)
		}
		if err := errors.Join(faults...); err != nil {
			return nil, err
		}
		return c, nil
	}
}

// Run asks the device and grades what it says.
func (c *command) Run(ctx context.Context, _ check.Run) (check.Result, error) {
	client, err := c.pool.Client(&c.Settings)
	if err != nil {
		return check.Result{}, err
	}
	defer client.Close()
	values, err := client.Get(ctx, c.oids)
	if err != nil {
		return snmpclient.Failure(err, time.Now())
	}
	return c.grade(values), nil
}

func (c *command) grade(values []snmpclient.Value) check.Result {
	var g check.Grade
	var metrics []check.Metric
	if up := &values[uptime]; up.Type == snmpclient.Ticks {
		metrics = append(metrics, check.Gauge("uptime_seconds", float64(up.Uint)/100, "seconds"))
	}
	finding := func(metric, what, reason string, percent float64, ok bool, warn, crit *float64) {
		if !ok {
			g.Add(check.StateUnknown, check.ReasonCmdFailure, "the device does not tell its "+what)
			return
		}
		metrics = append(metrics, check.Gauge(metric, percent, "percent"))
		state, why := check.Rule{Warn: warn, Crit: crit, Reason: reason}.Above(percent)
		g.Add(state, why, fmt.Sprintf("%s %.4g%%", what, percent))
	}
	busy, ok := values[cpu].Number()
	finding("cpu_percent", "cpu", ReasonCPU, busy, ok, c.CPUWarn, c.CPUCrit)
	used, ok := share(&values[memUsed], &values[memFree])
	finding("mem_percent", "memory", ReasonMemory, used, ok, c.MemWarn, c.MemCrit)
	return g.Result(values[0].At, metrics)
}

// share gives used as a percentage of used and free together; not ok when
// there is nothing.
func share(used, free *snmpclient.Value) (percent float64, ok bool) {
	u, known := used.Number()
	f, both := free.Number()
	if !known || !both || u < 0 || f < 0 || u+f == 0 {
		return 0, false
	}
	return 100 * u / (u + f), true
}
