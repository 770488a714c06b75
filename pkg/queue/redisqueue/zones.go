package redisqueue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/check"
)

// EnterZone writes a zone with one lane into the list of zones, unless it
// stands there. One that was deleted comes back.
func (q *Queue) EnterZone(ctx context.Context, zone string) error {
	text, err := q.client.HGet(ctx, q.KeyZones(), zone).Result()
	switch {
	case errors.Is(err, redis.Nil): // a full server refuses even a write that would change nothing
		err = q.client.HSetNX(ctx, q.KeyZones(), zone, "1 1").Err()
	case err == nil:
		if z, ok := parseZone(text); ok && z.Partitions == 0 {
			_, err = q.ChangeZone(ctx, zone, check.Zone{Version: z.Version + 1, Partitions: 1})
		}
	}
	if err != nil {
		return fmt.Errorf("enter zone %s into %s: %w", zone, q.KeyZones(), err)
	}
	return nil
}

var zoneScript = script("zone")

// RestoreZone writes a zone back as it was known before the list of zones was
// lost, or lost and entered anew by a worker. A zone of a higher version stays.
func (q *Queue) RestoreZone(ctx context.Context, zone string, z check.Zone) error {
	_, err := q.writeZone(ctx, zone, z, false)
	return err
}

// ChangeZone writes a zone in the place of one of a lower version, or of none;
// false: there is a version as high by now.
func (q *Queue) ChangeZone(ctx context.Context, zone string, z check.Zone) (bool, error) {
	return q.writeZone(ctx, zone, z, true)
}

func (q *Queue) writeZone(ctx context.Context, zone string, z check.Zone, change bool) (bool, error) {
	n, err := q.run(ctx, zoneScript, "write zone into", []string{q.KeyZones()}, zone, z.Version, z.Partitions, z.Spread, bit(change)).Int()
	if err != nil {
		return false, fmt.Errorf("zone %s: %w", zone, err)
	}
	return n == 1, nil
}

// SetPartitions changes the number of partitions of a zone, or makes the zone.
// Schedulers then move the checks whose lane becomes another one.
func (q *Queue) SetPartitions(ctx context.Context, zone string, n int) (before, after check.Zone, err error) {
	if n < 1 || n > MaxPartitions {
		return before, after, fmt.Errorf("zone %s: %d partitions: want 1 to %d", zone, n, MaxPartitions)
	}
	for {
		zones, err := q.Zones(ctx)
		if err != nil {
			return before, after, err
		}
		before = zones[zone]
		if before.Partitions == n {
			return before, before, nil
		}
		after = check.Zone{Version: before.Version + 1, Partitions: n}
		if before.Partitions > 0 {
			after.Spread = max(before.Lanes(), n)
			if err := q.AllowMoves(ctx); err != nil {
				return before, after, err
			}
		}
		if done, err := q.ChangeZone(ctx, zone, after); done || err != nil {
			return before, after, err
		}
	}
}

// MaxPartitions is how many lanes a zone may have: far more than a cluster of
// Redis has use for. More can only be junk, which would drown every process.
const MaxPartitions = 4096

// lanesSuffix ends the names of the fields that tell how many lanes may hold
// checks while these move. No zone has such a name: who does not know them
// leaves them out.
const lanesSuffix = "/lanes"

// Zones reads the list of zones, with those that were deleted. Its entries are
// "version partitions"; what is neither is left out, so that it stops no other
// zone.
func (q *Queue) Zones(ctx context.Context) (map[string]check.Zone, error) {
	all, err := q.client.HGetAll(ctx, q.KeyZones()).Result()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", q.KeyZones(), err)
	}
	zones := make(map[string]check.Zone, len(all))
	for name, text := range all {
		z, ok := parseZone(text)
		if !ok || !check.ValidZone(name) {
			continue // junk, which a scheduler that knew the zone mends
		}
		if lanes, err := strconv.Atoi(all[name+lanesSuffix]); err == nil && lanes > 0 && lanes <= MaxPartitions {
			z.Spread = lanes
		}
		zones[name] = z
	}
	return zones, nil
}

func parseZone(text string) (check.Zone, bool) {
	version, parts, _ := strings.Cut(text, " ")
	v, errV := strconv.Atoi(version)
	p, errP := strconv.Atoi(parts)
	return check.Zone{Version: v, Partitions: p}, errV == nil && errP == nil && p >= 0 && p <= MaxPartitions
}

// Lanes lists the lanes of the named zones, of all zones without a name, in
// order: those that checks belong to, and those that they have yet to leave. A
// zone that is not in the list has one lane.
func (q *Queue) Lanes(ctx context.Context, names ...string) ([]check.Lane, error) {
	zones, err := q.Zones(ctx)
	if err != nil {
		return nil, err
	}
	return LanesOf(zones, names...), nil
}

// LanesOf lists the lanes as Lanes does, by a list of zones that was read.
func LanesOf(zones map[string]check.Zone, names ...string) []check.Lane {
	if len(names) == 0 {
		for name, z := range zones {
			if z.Partitions > 0 {
				names = append(names, name)
			}
		}
		slices.Sort(names)
	}
	var lanes []check.Lane
	for _, name := range names {
		lanes = append(lanes, lanesOf(name, zones[name])...)
	}
	return lanes
}

func lanesOf(name string, z check.Zone) []check.Lane {
	lanes := make([]check.Lane, z.Lanes())
	for part := range lanes {
		lanes[part] = check.Lane{Zone: name, Part: part}
	}
	return lanes
}
