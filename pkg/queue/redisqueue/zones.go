package redisqueue

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redpoll/redpoll/pkg/check"
)

// EnterZone writes a zone with one lane into the list of zones, unless it
// stands there.
func (q *Queue) EnterZone(ctx context.Context, zone string) error {
	known, err := q.client.HExists(ctx, q.KeyZones(), zone).Result()
	if err == nil && !known { // a full server refuses even a write that would change nothing
		err = q.client.HSetNX(ctx, q.KeyZones(), zone, "1 1").Err()
	}
	if err != nil {
		return fmt.Errorf("enter zone %s into %s: %w", zone, q.KeyZones(), err)
	}
	return nil
}

// RestoreZone writes a zone back as it was known before the list of zones was
// lost, or lost and entered anew by a worker. A zone of a higher version stays.
func (q *Queue) RestoreZone(ctx context.Context, zone string, z check.Zone) error {
	err := q.run(ctx, zoneScript, "restore zone", []string{q.KeyZones()}, zone, z.Version, z.Partitions).Err()
	if err != nil {
		return fmt.Errorf("zone %s: %w", zone, err)
	}
	return nil
}

var zoneScript = script("zone")

// MaxPartitions is how many lanes a zone may have: far more than a cluster of
// Redis has use for. More can only be junk, which would drown every process.
const MaxPartitions = 4096

// Zones reads the list of zones. Its entries are "version partitions"; what is
// neither is left out, so that it stops no other zone.
func (q *Queue) Zones(ctx context.Context) (map[string]check.Zone, error) {
	all, err := q.client.HGetAll(ctx, q.KeyZones()).Result()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", q.KeyZones(), err)
	}
	zones := make(map[string]check.Zone, len(all))
	for name, text := range all {
		version, parts, _ := strings.Cut(text, " ")
		v, errV := strconv.Atoi(version)
		p, errP := strconv.Atoi(parts)
		if errV != nil || errP != nil || p < 1 || p > MaxPartitions || !check.ValidZone(name) {
			continue // junk, which a scheduler that knew the zone mends
		}
		zones[name] = check.Zone{Version: v, Partitions: p}
	}
	return zones, nil
}

// Lanes lists the lanes of the named zones, of all zones without a name, in
// order. A zone that is not in the list has one lane.
func (q *Queue) Lanes(ctx context.Context, names ...string) ([]check.Lane, error) {
	zones, err := q.Zones(ctx)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		for name := range zones {
			names = append(names, name)
		}
		slices.Sort(names)
	}
	var lanes []check.Lane
	for _, name := range names {
		for part := range max(zones[name].Partitions, 1) {
			lanes = append(lanes, check.Lane{Zone: name, Part: part})
		}
	}
	return lanes, nil
}

// LaneOf tells which lane a check belongs to.
func (q *Queue) LaneOf(ctx context.Context, zone, id string) (check.Lane, error) {
	zones, err := q.Zones(ctx)
	if err != nil {
		return check.Lane{}, err
	}
	return check.Lane{Zone: zone, Part: check.Partition(id, max(zones[zone].Partitions, 1))}, nil
}
