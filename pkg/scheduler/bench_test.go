package scheduler

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redpoll/redpoll/internal/redistest"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// BenchmarkIntake applies flat sets of new checks on a real server:
// go test -run '^$' -bench Intake -benchtime 100000x ./pkg/scheduler
func BenchmarkIntake(b *testing.B) {
	server := redistest.Start(b)
	c := server.Client(b)
	q := redisqueue.New(c, "")
	s := New(q, Config{Commands: testCommands()})
	if _, err := q.IntakePending(b.Context(), "0-0", 1); err != nil {
		b.Fatal(err)
	}
	addMany(b, c, q.KeyIntake(), b.N)
	st := newState()
	b.ResetTimer()
	for range (b.N + 199) / 200 {
		if err := s.takeInOnce(b.Context(), b.Context(), &st); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
	if n, err := c.HLen(b.Context(), q.KeySpecs(lane0)).Result(); err != nil || int(n) != b.N {
		b.Fatalf("%d specs (%v), want %d", n, err, b.N)
	}
}

// BenchmarkRepair makes quiet passes over 10,000 checks on a real server and
// tells what they cost it, from its own account of its CPU time.
func BenchmarkRepair(b *testing.B) {
	const n = 10_000
	c := redistest.Start(b).Client(b)
	s := New(redisqueue.New(c, ""), Config{Commands: testCommands()})
	for i := range n {
		id := fmt.Sprintf("c%d", i)
		if err := c.HSet(b.Context(), "redpoll:{default:0}:specs", id, spec(id, "")).Err(); err != nil {
			b.Fatal(err)
		}
	}
	p := &pass{lane: lane0, t: s.trouble("repair"), count: pageSize}
	pass := func() {
		for p.after = (time.Time{}); p.after.IsZero(); {
			if err := s.repairPage(b.Context(), p); err != nil {
				b.Fatal(err)
			}
		}
	}
	used := func() (us float64) {
		text, err := c.Info(b.Context(), "cpu").Result()
		if err != nil {
			b.Fatal(err)
		}
		for line := range strings.Lines(text) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
			if name == "used_cpu_user" || name == "used_cpu_sys" {
				sec, err := strconv.ParseFloat(value, 64)
				if err != nil {
					b.Fatal(err)
				}
				us += sec * 1e6
			}
		}
		return us
	}
	pass() // adopts
	before := used()
	for b.Loop() {
		pass()
	}
	b.ReportMetric((used()-before)/float64(b.N)/n, "redis-us/check")
}
