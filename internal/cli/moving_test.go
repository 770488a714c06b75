package cli

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/redpoll/redpoll/internal/redistest"
	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// movingRig is a registry whose checks are moved by hand while verbs read it
// through a client of their own.
type movingRig struct {
	*redisqueue.Queue
	t      *testing.T
	client *redis.Client
	a      *app
	out    bytes.Buffer
	conn   *connection
	spy    *scanSpy
}

// scanSpy does something between the reads of a verb.
type scanSpy struct {
	mu   sync.Mutex
	seen []string // names of all commands
	scan int      // pages of registries that were read
	at   func(page int)
	// incidents is called behind each page of incidents.
	incidents func()
}

func (*scanSpy) DialHook(next redis.DialHook) redis.DialHook { return next }

func (s *scanSpy) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		s.mu.Lock()
		for _, cmd := range cmds {
			s.seen = append(s.seen, cmd.Name())
		}
		s.mu.Unlock()
		return next(ctx, cmds)
	}
}

// ProcessHook calls at with the number of each page that was read of a registry,
// from 1, behind it.
func (s *scanSpy) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		s.mu.Lock()
		s.seen = append(s.seen, cmd.Name())
		page := cmd.Name() == "hscan" && strings.HasSuffix(fmt.Sprint(cmd.Args()[1]), ":specs")
		if page {
			s.scan++
		}
		n, at, incidents := s.scan, s.at, s.incidents
		s.mu.Unlock()
		if page && at != nil {
			at(n)
		}
		if incidents != nil && cmd.Name() == "hscan" && !page {
			incidents()
		}
		return err
	}
}

func newMovingRig(t *testing.T, c *redis.Client) *movingRig {
	t.Helper()
	read := redis.NewClient(&redis.Options{
		Addr: c.Options().Addr, DisableIdentity: true, ReadTimeout: c.Options().ReadTimeout, MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	t.Cleanup(func() { _ = read.Close() })
	r := &movingRig{Queue: redisqueue.New(c, ""), t: t, client: c, spy: &scanSpy{}}
	read.AddHook(r.spy)
	r.conn = &connection{redisqueue.New(read, ""), read}
	r.a = &app{Streams: Streams{Stdout: &r.out, Stderr: &r.out}, opt: options{output: formatJSONL}, conn: r.conn}
	return r
}

// eachMoving runs f on miniredis and on a real server.
func eachMoving(t *testing.T, f func(t *testing.T, r *movingRig)) {
	t.Helper()
	t.Parallel()
	redistest.Each(t, func(t *testing.T, c *redis.Client) { f(t, newMovingRig(t, c)) })
}

func (r *movingRig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// zone sets the partitions of a zone.
func (r *movingRig) zone(name string, partitions int) {
	r.t.Helper()
	_, _, err := r.SetPartitions(r.t.Context(), name, partitions)
	r.must(err)
}

func movingSpec(zone, id string) string {
	c, err := check.Parse([]byte(`{"id":"` + id + `","command":"tcp","params":{"addr":"127.0.0.1:1"},"every":"1h","zone":"` + zone + `","labels":{"owner":"git"}}`))
	if err != nil {
		panic(err)
	}
	return string(c.Text())
}

// add puts a check into a lane, with a last record; its spec may name another zone.
func (r *movingRig) add(lane check.Lane, zone, id, rev string) {
	r.t.Helper()
	ctx := r.t.Context()
	now, err := r.Now(ctx)
	r.must(err)
	spec := movingSpec(zone, id)
	_, err = r.Adopt(ctx, lane, []check.Adoption{{ID: id, Rev: rev, Spec: spec, SHA: check.SHA(spec), First: now + 1_000_000}})
	r.must(err)
	r.must(r.client.HSet(ctx, r.KeyLast(lane), id, `{"state":"OK","text":"`+id+`"}`).Err())
}

// cargo freezes checks that are not yet frozen and gives what goes with them.
func (r *movingRig) cargo(from, to check.Lane, ids ...string) []check.Cargo {
	r.t.Helper()
	ctx := r.t.Context()
	stored, err := r.Specs(ctx, from, ids)
	r.must(err)
	items := make([]check.Freezing, len(ids))
	for i, st := range stored {
		items[i] = check.Freezing{ID: st.ID, SHA: check.SHA(st.Spec), To: to}
	}
	frozen, err := r.Freeze(ctx, from, items)
	r.must(err)
	cargo, err := r.Cargo(ctx, from, frozen, nil)
	r.must(err)
	return cargo
}

func (r *movingRig) arrive(from, to check.Lane, ids ...string) []check.Cargo {
	r.t.Helper()
	cargo := r.cargo(from, to, ids...)
	_, err := r.Arrive(r.t.Context(), to, cargo)
	r.must(err)
	return cargo
}

// move takes checks all the way.
func (r *movingRig) move(from, to check.Lane, ids ...string) {
	r.t.Helper()
	cargo := r.arrive(from, to, ids...)
	items := make([]check.Departure, len(cargo))
	for i, c := range cargo {
		items[i] = check.Departure{Cargo: c, Away: from.Zone != to.Zone}
	}
	out, err := r.Depart(r.t.Context(), from, items)
	r.must(err)
	for i, o := range out {
		if o != check.MoveGone {
			r.t.Fatalf("depart %s: %s", ids[i], o)
		}
	}
}

// scanned lists what scan gives: zone/id in lane.
func (r *movingRig) scanned() []string {
	r.t.Helper()
	var out []string
	r.must(r.a.scan(r.t.Context(), r.conn, func(_ check.Lane, page []stored) error {
		for _, s := range page {
			out = append(out, fmt.Sprintf("%s in %s", s.target(), s.lane))
		}
		return nil
	}))
	slices.Sort(out)
	return out
}

// idsFor gives ids of checks that belong to its partition part of n.
func idsFor(part, n, count int) []string {
	var ids []string
	for i := 0; len(ids) < count; i++ {
		if id := fmt.Sprintf("c%d", i); check.Partition(id, n) == part {
			ids = append(ids, id)
		}
	}
	return ids
}
