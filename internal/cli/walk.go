package cli

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

const (
	// lookQuick bounds a look in which nothing is missed: a check that sets out
	// to another lane stays where it was for 5 s more.
	lookQuick = 4 * time.Second
	// lookMost bounds the looks. A check that none of them sees has moved in
	// each of them.
	lookMost = 4
	// expectTime is for how long a check may be about to leave for another zone.
	expectTime = time.Hour
)

// walker reads lanes one after the other so that no check is missed that moves
// meanwhile, out of a lane that is yet to be read into one that was read. Where
// checks move it reads the lanes again: two looks that follow each other within
// lookQuick miss nothing, since nothing moves twice in that time.
type walker struct {
	conn *connection
	zone string // the only one; empty: all
	// quick and most are lookQuick and lookMost.
	quick time.Duration
	most  int

	first map[string]check.Zone // as the first look found them
	zones map[string]check.Zone // as they are
	asked time.Time
	nth   int  // of the look that goes on, from 1
	all   bool // checks may move between any zones
}

// walk makes a walker over the lanes of --zone, of all zones without it.
func (a *app) walk(conn *connection) *walker {
	return &walker{conn: conn, zone: a.opt.zone, quick: lookQuick, most: lookMost}
}

// run calls look for every lane, and again for those of zones whose checks move,
// as long as one may have been missed.
func (w *walker) run(ctx context.Context, look func(lane check.Lane) error) error {
	var before time.Time
	for {
		begin := time.Now()
		w.nth++
		if err := w.learn(ctx); err != nil {
			return err
		}
		for _, lane := range w.lanes() {
			if w.nth > 1 && !w.restless(lane.Zone) {
				continue
			}
			if err := look(lane); err != nil {
				return err
			}
		}
		switch {
		case w.nth == 1:
			if again, err := w.again(ctx, begin); err != nil || !again {
				return err
			}
		case time.Since(before) < w.quick || w.nth >= w.most:
			return nil
		}
		before = begin
	}
}

func (w *walker) lanes() []check.Lane {
	if w.zone == "" {
		return redisqueue.LanesOf(w.zones)
	}
	return redisqueue.LanesOf(w.zones, w.zone)
}

// learn reads the list of zones.
func (w *walker) learn(ctx context.Context) error {
	zones, err := w.conn.Zones(ctx)
	if err != nil {
		return err
	}
	if w.zone != "" {
		maps.DeleteFunc(zones, func(name string, _ check.Zone) bool { return name != w.zone })
	}
	if w.zones, w.asked = zones, time.Now(); w.first == nil {
		w.first = zones
	}
	return nil
}

// moving tells whether checks of a zone may move now. A long look hears of it
// before those that set out after its beginning have left.
func (w *walker) moving(ctx context.Context, zone string) (bool, error) {
	if time.Since(w.asked) >= w.quick {
		if err := w.learn(ctx); err != nil {
			return false, err
		}
	}
	return w.restless(zone), nil
}

func (w *walker) restless(zone string) bool {
	return w.all || w.zones[zone].Spread > 0 || w.zones[zone] != w.first[zone]
}

// again tells whether the first look may have missed a check.
func (w *walker) again(ctx context.Context, begin time.Time) (bool, error) {
	spread := false
	for _, z := range w.first {
		spread = spread || z.Spread > 0
	}
	if time.Since(begin) < w.quick {
		return spread, nil
	}
	if err := w.learn(ctx); err != nil {
		return false, err
	}
	if len(w.zones) > 1 {
		var err error
		if w.all, err = w.sent(ctx); err != nil {
			return false, err
		}
	}
	return spread || w.all || !maps.Equal(w.zones, w.first), nil
}

// sent tells whether a check may be on its way between zones: the log of
// requests has the orders, unless it is too short.
func (w *walker) sent(ctx context.Context) (bool, error) {
	now, err := w.conn.Now(ctx)
	if err != nil {
		return false, err
	}
	since := strconv.FormatInt(max(now-expectTime.Milliseconds(), 0), 10)
	found, err := w.conn.Client().XRevRangeN(ctx, w.conn.KeyIntakeLog(), "+", since, redisqueue.KeepIntakeLog).Result()
	if err != nil {
		return false, fmt.Errorf("read %s: %w", w.conn.KeyIntakeLog(), err)
	}
	for _, m := range found {
		if m.Values["op"] == string(check.OpMove) && m.Values["verdict"] == check.VerdictAccepted {
			return true, nil
		}
	}
	return len(found) >= redisqueue.KeepIntakeLog, nil
}
