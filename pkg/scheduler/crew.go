package scheduler

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

const (
	// crewAge is how old the list of workers may be that requests are judged by.
	crewAge = time.Second
	// crewMemory is how long the commands of a silent worker count.
	crewMemory = time.Hour
)

// crew are the workers as their heartbeats show them. The intake and repair
// have one each.
type crew struct {
	read time.Time
	list []check.Heartbeat
	// blind: the key of the heartbeats is no hash, nobody knows who offers what.
	blind error
}

// refresh reads the list again when it is older than age.
func (w *crew) refresh(ctx context.Context, q Registry, age time.Duration) error {
	if !w.read.IsZero() && time.Since(w.read) < age {
		return nil
	}
	list, err := q.Workers(ctx)
	if err != nil && replyCode(err) != wrongType {
		return err
	}
	w.list, w.blind, w.read = list, err, time.Now()
	return nil
}

// commands gives what the zone's workers of the last hour announced.
func (w *crew) commands(zone string, now time.Time) map[string]bool {
	names := map[string]bool{}
	for i := range w.list {
		hb := &w.list[i]
		if slices.Contains(hb.Zones, zone) && now.UnixMilli()-hb.At < crewMemory.Milliseconds() {
			for _, c := range hb.Commands {
				names[c] = true
			}
		}
	}
	return names
}

// handlers gives what the zone's live workers offer, and whether there are any.
func (w *crew) handlers(zone string, now time.Time) (names map[string]bool, any bool) {
	names = map[string]bool{}
	for i := range w.list {
		hb := &w.list[i]
		if !slices.Contains(hb.Zones, zone) || !hb.LiveAt(now.UnixMilli()) {
			continue
		}
		any = true
		for _, h := range hb.Handlers {
			names[h] = true
		}
	}
	return names, any
}

// validate judges what ParseRequest cannot: the command, its params and the
// handlers. fault says what is wrong with the check; err is one of Redis.
func (b *batch) validate(ctx context.Context, c *check.Check) (warnings []string, fault, err error) {
	if err := b.crew.refresh(ctx, b.s.q, crewAge); err != nil {
		return nil, nil, err
	}
	zone := c.ZoneName()
	if _, builtin := b.s.cfg.Commands[c.Command]; builtin {
		if _, fault := b.s.cfg.Commands.Build(c.Command, c.Params); fault != nil {
			return nil, fault, nil
		}
	} else if fault, err := b.unknownCommand(ctx, zone, c.Command); fault != nil || err != nil {
		return nil, fault, err
	}
	if b.crew.blind != nil {
		return []string{"nobody knows what the workers offer: " + b.crew.blind.Error()}, nil, nil
	}
	offered, served := b.crew.handlers(zone, b.now)
	if !served {
		return []string{"no worker serves zone " + zone + " now"}, nil, nil
	}
	var missing []string
	for _, h := range c.Handlers {
		if !offered[h] {
			missing = append(missing, h)
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		warnings = append(warnings, "no worker of zone "+zone+" offers handler "+strings.Join(slices.Compact(missing), ", "))
	}
	return warnings, nil, nil
}

// unknownCommand refuses a command that neither this scheduler nor a worker of
// the zone knows. A worker may have started a moment ago: before a refusal the
// list is read anew, once a batch.
func (b *batch) unknownCommand(ctx context.Context, zone, name string) (fault, err error) {
	announced := b.crew.commands(zone, b.now)
	if !announced[name] && !b.asked {
		b.asked = true
		if err := b.crew.refresh(ctx, b.s.q, 0); err != nil {
			return nil, err
		}
		announced = b.crew.commands(zone, b.now)
	}
	if announced[name] || b.crew.blind != nil {
		return nil, nil
	}
	for _, n := range b.s.cfg.Commands.Names() {
		announced[n] = true
	}
	known := slices.Sorted(maps.Keys(announced))
	return &check.UnknownNameError{What: "command", Name: name, Nearest: check.Nearest(name, known), Known: known}, nil
}
