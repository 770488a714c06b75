// Package junospools is the command that reads how full the address pools for
// subscribers of a Juniper router are, by SNMP.
package junospools

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands/internal/snmpclient"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
)

// ReasonUsage is the reason of pools that are too full.
const ReasonUsage = "IP_POOL_USAGE_HIGH"

// Columns of jnxUserAAAAccessPoolTable in JUNIPER-USER-AAA-MIB.
const (
	addressTotal   = "1.3.6.1.4.1.2636.3.51.1.1.4.1.1.1.10." // jnxUserAAAAccessPoolAddressTotal
	addressesInUse = "1.3.6.1.4.1.2636.3.51.1.1.4.1.1.1.11." // jnxUserAAAAccessPoolAddressesInUse
)

// maxPools keeps the metrics of a check, three for each pool, in one result.
const maxPools = 64

// Params are the settings of a check with this command. Thresholds are in
// percent; nil is off.
type Params struct {
	snmpclient.Settings
	// Pools are the indexes of the pools in the MIB's table.
	Pools []uint32 `json:"pools"`
	Warn  *float64 `json:"warn"`
	Crit  *float64 `json:"crit"`
	// PerPool grades each pool by itself too, not only all of them together.
	PerPool bool `json:"per_pool"`
}

// Defaults are the params of a check that names its host and pools only.
func Defaults() Params {
	warn, crit := 97.0, 99.0
	return Params{Settings: snmpclient.DefaultSettings(), Warn: &warn, Crit: &crit}
}

type command struct {
	Params
	pool *snmpclient.Pool
	oids []string // total and used of each pool in turn
}

// New makes the command with a worker's tools. What it makes shares one pool
// of sessions.
func New(t tools.Tools) func(Params) (check.Command, error) {
	sessions := snmpclient.NewPool(t)
	return func(p Params) (check.Command, error) {
		faults := []error{p.Settings.Validate()}
		if len(p.Pools) == 0 || len(p.Pools) > maxPools {
			faults = append(faults, fmt.Errorf("pools: %d indexes, want 1 to %d", len(p.Pools), maxPools))
		}
		c := &command{Params: p, pool: sessions}
		for i, pool := range p.Pools {
			if slices.Contains(p.Pools[:i], pool) {
				faults = append(faults, fmt.Errorf("pools[%d]: %d is there twice", i, pool))
			}
			c.oids = append(c.oids, addressTotal+index(pool), addressesInUse+index(pool))
		}
		if err := errors.Join(faults...); err != nil {
			return nil, err
		}
		return c, nil
	}
}

func index(pool uint32) string { return strconv.FormatUint(uint64(pool), 10) }

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

// usage is how full a pool is, or some together.
type usage struct{ used, total float64 }

// percent is not ok for an empty pool: nothing of nothing is no part of it.
func (u usage) percent() (float64, bool) {
	if u.total <= 0 {
		return 0, false
	}
	return 100 * u.used / u.total, true
}

func (u usage) metrics(ending string) []check.Metric {
	m := []check.Metric{check.Gauge("used_addresses"+ending, u.used, "addresses"), check.Gauge("total_addresses"+ending, u.total, "addresses")}
	if percent, ok := u.percent(); ok {
		m = append(m, check.Gauge("used_percent"+ending, percent, "percent"))
	}
	return m
}

func (c *command) grade(values []snmpclient.Value) check.Result {
	var g check.Grade
	var all usage
	var each []check.Metric
	rule := check.Rule{Warn: c.Warn, Crit: c.Crit, Reason: ReasonUsage}
	found := false
	for i, pool := range c.Pools {
		total, known := values[2*i].Number()
		used, both := values[2*i+1].Number()
		if !known || !both || total < 0 || used < 0 {
			g.Add(check.StateUnknown, check.ReasonCmdFailure, "there is no pool "+index(pool))
			continue
		}
		found = true
		u := usage{used, total}
		all.used, all.total = all.used+used, all.total+total
		each = append(each, u.metrics("."+index(pool))...)
		if percent, ok := u.percent(); ok && c.PerPool {
			state, reason := rule.Above(percent)
			if state != check.StateOK {
				g.Add(state, reason, fmt.Sprintf("pool %d: %.0f of %.0f addresses used, %.4g%%", pool, used, total, percent))
			}
		}
	}
	if !found {
		return g.Result(values[0].At, nil)
	}
	if percent, ok := all.percent(); ok {
		state, reason := rule.Above(percent)
		g.Add(state, reason, fmt.Sprintf("%.0f of %.0f addresses used, %.4g%%", all.used, all.total, percent))
	} else {
		g.Add(check.StateOK, "", "the pools are empty")
	}
	return g.Result(values[0].At, append(all.metrics(""), each...))
}
