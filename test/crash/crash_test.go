package crash_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/redpoll/redpoll/internal/redistest"
	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

var roundsFlag = flag.Int("crash.rounds", rounds, "crashes at each point")

// TestMain is the test, or the process that is to crash.
func TestMain(m *testing.M) {
	if role := os.Getenv(envRole); role != "" {
		child(role)
		os.Exit(0)
	}
	flag.Parse()
	// The test waits for leases to run out most of the time.
	if err := flag.Set("test.parallel", "18"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// point is where a process ends, and what may happen then.
type point struct {
	role  string
	names []string // one crash after the other in each round
	// strict: no command runs twice, since none can have been running.
	strict bool
}

// lease is how long the leases of workers are.
func (p point) lease() time.Duration {
	switch {
	case p.role != roleWorker:
		return longLease
	case len(p.names) > 1:
		return shortLease
	}
	return someLease
}

var points = []point{
	{roleWorker, []string{"read before"}, false},
	{roleWorker, []string{"read after"}, false},
	{roleWorker, []string{"lease after"}, false},
	{roleWorker, []string{"command begins"}, false},
	{roleWorker, []string{"command ends"}, false},
	{roleWorker, []string{"handler begins"}, false},
	{roleWorker, []string{"handler ends"}, false},
	{roleWorker, []string{"complete before"}, false},
	{roleWorker, []string{"complete after"}, false},
	{roleWorker, []string{"renew after"}, false},
	{roleWorker, []string{"command begins", "reclaim after"}, false},
	{roleWorker, []string{"release before"}, false},
	{roleWorker, []string{"release after"}, false},
	{roleScheduler, []string{"dispatch before"}, true},
	{roleScheduler, []string{"dispatch after"}, true},
	{roleScheduler, []string{"intake after"}, true},
	{roleScheduler, []string{"adopt before"}, true},
	{roleScheduler, []string{"adopt after"}, true},
	{roleScheduler, []string{"verdict before"}, true},
	{roleScheduler, []string{"verdict after, acknowledge before"}, true},
	{roleScheduler, []string{"acknowledge after"}, true},
	{roleScheduler, []string{"repair before"}, true},
	{roleScheduler, []string{"repair after"}, true},
	{roleScheduler, []string{"remove before", "remove after"}, true},
}

// TestCrash ends a process at each point again and again. No check is lost,
// each result is recorded once, and between two runs of one planned time there
// is a crash.
func TestCrash(t *testing.T) {
	t.Parallel()
	for _, p := range points {
		t.Run(p.role+" "+strings.Join(p.names, ", "), func(t *testing.T) {
			t.Parallel()
			newScene(t, p).play()
		})
	}
}

// scene is one point of crashes on a Redis of its own.
type scene struct {
	t       *testing.T
	p       point
	server  *redistest.Server
	q       *redisqueue.Queue
	asked   map[string]string // one-shots by id -> entry of the request
	crashes int
	from    int64 // when the latest round began to be cleaned up
}

var lane = check.Lane{Zone: "default"}

func newScene(t *testing.T, p point) *scene {
	s := &scene{t: t, p: p, server: redistest.Start(t), asked: map[string]string{}}
	s.q = redisqueue.New(s.server.Client(t), "")
	s.must(s.q.EnterZone(t.Context(), lane.Zone))
	return s
}

func (s *scene) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// Checks that go on, beside the one-shots of each round. The slow one is renewed.
var going = []string{"quick-1", "quick-2", "slow-1"}

func (s *scene) play() {
	for _, id := range going {
		_, err := s.q.Request(s.t.Context(), []string{"id", id, "command", "probe", "every", "1s", "timeout", "5s"})
		s.must(err)
	}
	for round := range *roundsFlag {
		s.round(1 + round%3)
	}
	s.cleanUp(func() { s.waitRemoved() })
	s.compare()
}

// round starts processes that end at the n-th time that they come to their
// point, and then has others bring everything to an end.
func (s *scene) round(n int) {
	s.ask(5)
	other := roleScheduler
	if s.p.role == roleScheduler {
		other = roleWorker
	}
	for _, name := range s.p.names {
		if strings.HasPrefix(name, "release") {
			n = 1 // a worker stops once
		}
		s.beside(other, func() { s.crash(name, n) })
		s.crashes++
		n = 1 // what one crash has left there may be no more of
	}
	s.cleanUp(func() { s.waitResults() })
}

// ask requests one-shots whose time has come.
func (s *scene) ask(n int) {
	for range n {
		id := fmt.Sprintf("once-%d", len(s.asked))
		entry, err := s.q.Request(s.t.Context(), []string{"id", id, "command", "probe", "at", "2020-01-01T00:00:00Z"})
		s.must(err)
		s.asked[id] = entry
	}
}

// crash runs the process until it ends by itself.
func (s *scene) crash(name string, n int) {
	wait := s.start(name, n)
	stop := make(chan struct{})
	more := make(chan struct{})
	go func() { // work, so that the point is come to
		defer close(more)
		tick := time.NewTicker(300 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-tick.C:
				id := fmt.Sprintf("once-%d-%d", s.crashes, i)
				if _, err := s.q.Request(s.t.Context(), []string{"id", id, "command", "probe", "at", "2020-01-01T00:00:00Z"}); err != nil {
					return
				}
			}
		}
	}()
	defer func() {
		close(stop)
		<-more
	}()
	wait()
}

// start starts a process that ends by itself; wait fails unless it ends at its
// point.
func (s *scene) start(name string, n int) (wait func()) {
	exe, err := os.Executable()
	s.must(err)
	cmd := exec.CommandContext(s.t.Context(), exe)
	cmd.Env = append(os.Environ(), envRole+"="+s.p.role, envPoint+"="+name, fmt.Sprintf("%s=%d", envCount, n), envURL+"="+s.server.URL(), envLease+"="+s.p.lease().String())
	cmd.Stderr = os.Stderr
	s.must(cmd.Start())
	late := time.AfterFunc(60*time.Second, func() { _ = cmd.Process.Kill() })
	return func() {
		s.t.Helper()
		err := cmd.Wait()
		late.Stop()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != exitCrash {
			s.t.Fatalf("the process at %q = %v, want it to end there", name, err)
		}
	}
}
