package worker

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// TestDeliveryModel: whatever fails, whoever is cut off or stopped, each change
// is delivered, and of each check in order.
func TestDeliveryModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { newModel(t, seed).play() })
		})
	}
}

const modelChecks, modelChanges = 12, 10

var modelLanes = []check.Lane{{Zone: "a"}, {Zone: "a", Part: 1}}

// model is a fleet of three workers, what happens to it, and a target.
type model struct {
	*testing.T
	o       *outboxFake
	g       *target
	workers [3]*started
	seats   [3]*seat
	checks  []*incident
	posted  [modelChecks]int
	names   int

	mu      sync.Mutex // guards the rest
	r       *rand.Rand
	failing map[string]bool
	healed  bool // the target takes all that it is told
}

func newModel(t *testing.T, seed uint64) *model {
	m := &model{T: t, o: newOutbox(modelLanes...), g: &target{}, r: rand.New(rand.NewPCG(seed, 7)), failing: map[string]bool{}}
	m.g.answers(func(d check.Delivery) (string, error) {
		<-time.After(time.Duration(m.roll(300)) * time.Millisecond)
		m.mu.Lock()
		fails, healed := m.failing[d.Event.Check.ID], m.healed
		m.mu.Unlock()
		if !healed && (fails || m.roll(5) == 0) {
			return "", errDown
		}
		return "", nil
	})
	for i := range modelChecks {
		m.checks = append(m.checks, m.o.incident(modelLanes[i%2], fmt.Sprintf("c%02d", i), 1))
	}
	for i := range m.workers {
		m.begin(i)
	}
	pass(5 * time.Second)
	return m
}

func (m *model) roll(n int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.r.IntN(n)
}

func (m *model) begin(i int) {
	m.names++
	name := fmt.Sprintf("w%d", m.names)
	m.workers[i], m.seats[i] = m.o.worker(m.T, name, m.g.instance(name, nil))
}

// play lets things happen until all changes are posted, and looks what came.
func (m *model) play() {
	for left := modelChecks * modelChanges; left > 0; {
		left -= m.step()
		pass(time.Duration(1+m.roll(4000)) * time.Millisecond) // each change has its own time
	}
	for _, s := range m.seats {
		s.cut.Store(false)
	}
	m.mu.Lock()
	m.healed = true
	m.mu.Unlock()
	pass(DefaultRetryMax + 2*time.Minute) // the longest pause, and what an absence costs
	repeated := inOrder(m.T, m.g.delivered(), modelChecks, modelChanges)
	if n := m.o.unsettled("pager"); n != 0 {
		m.Errorf("%d changes are not settled in the end", n)
	}
	m.Logf("%d changes, %d repetitions", modelChecks*modelChanges, repeated)
	for _, w := range m.workers {
		w.stop()
	}
}

// step makes one thing happen and tells how many changes it posted.
func (m *model) step() int {
	switch i := m.roll(3); m.roll(12) {
	case 0: // cut off, or back
		m.seats[i].cut.Store(!m.seats[i].cut.Load())
	case 1: // stopped, and another one in its place
		m.seats[i].cut.Store(false)
		m.workers[i].stop()
		m.begin(i)
	case 2:
		id, fails := fmt.Sprintf("c%02d", m.roll(modelChecks)), m.roll(2) == 0
		m.mu.Lock()
		m.failing[id] = fails
		m.mu.Unlock()
	case 3:
		if m.roll(4) == 0 { // the groups of a lane are lost
			m.o.mu.Lock()
			m.o.lanes[modelLanes[m.roll(2)]].groups = map[string]*groupFake{}
			m.o.mu.Unlock()
		}
	default:
		if c := m.roll(modelChecks); m.posted[c] < modelChanges {
			n := m.posted[c]
			m.checks[c].post([]check.Change{check.ChangeOpen, check.ChangeUpdate}[min(n, 1)], []check.State{check.StateWarn, check.StateCrit}[n%2])
			m.posted[c]++
			return 1
		}
	}
	return 0
}
