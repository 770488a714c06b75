package worker

import (
	"context"
	"slices"
	"sync"
)

// slots are the places in which checks run. A slot is free, then reserved by
// somebody who asks the queue for work, then busy, then free again; a busy one
// whose command does not end is stuck.
type slots struct {
	mu      sync.Mutex // guards the rest
	total   int
	free    int
	busy    int
	stuck   int
	waiting []*slotWaiter // in order of arrival
}

type slotWaiter struct {
	most  int
	grant chan int // holds one
}

func (s *slots) init(n int) { s.total, s.free = n, n }

// readerLeaves is how many of many free slots one taker leaves to others: a
// reader that waits for work does not hold up the reclaimer.
const readerLeaves = 16

// take reserves up to most free slots, at least one; it waits in line for it
// until ctx ends, and gives 0 then. When there is plenty, some are left over.
func (s *slots) take(ctx context.Context, most int) int {
	s.mu.Lock()
	if len(s.waiting) == 0 && s.free > 0 {
		n := min(most, s.free-min(s.free/2, readerLeaves))
		s.free -= n
		s.mu.Unlock()
		return n
	}
	w := &slotWaiter{most: most, grant: make(chan int, 1)}
	s.waiting = append(s.waiting, w)
	s.mu.Unlock()
	select {
	case n := <-w.grant:
		return n
	case <-ctx.Done():
	}
	s.mu.Lock()
	s.waiting = slices.DeleteFunc(s.waiting, func(o *slotWaiter) bool { return o == w })
	s.mu.Unlock()
	select {
	case n := <-w.grant: // it came at the same moment
		s.giveBack(n)
	default:
	}
	return 0
}

// more reserves up to most free slots without waiting.
func (s *slots) more(most int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := max(min(most, s.free), 0)
	s.free -= n
	return n
}

// crowded says that more than half of the slots are busy and none is free.
func (s *slots) crowded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.free <= 0 && s.busy > s.total/2
}

// giveBack frees slots that were reserved and not used.
func (s *slots) giveBack(n int) {
	if n == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.freed(n)
}

// freed serves who waits. s.mu is held.
func (s *slots) freed(n int) {
	s.free += n
	for len(s.waiting) > 0 && s.free > 0 {
		w := s.waiting[0]
		s.waiting = s.waiting[1:]
		got := min(w.most, s.free)
		s.free -= got
		w.grant <- got
	}
}

// use turns reserved slots into busy ones.
func (s *slots) use(n int) {
	s.mu.Lock()
	s.busy += n
	s.mu.Unlock()
}

// done frees a busy slot.
func (s *slots) done() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy--
	s.freed(1)
}

// stick marks a busy slot as stuck, unstick frees it.
func (s *slots) stick() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy--
	s.stuck++
}

func (s *slots) unstick() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stuck--
	s.freed(1)
}

// hold keeps a slot stuck until the last of group is done.
func (s *slots) hold(group *sync.WaitGroup) {
	s.mu.Lock()
	s.free-- // may be less than none for the moment: the run's own is free soon
	s.stuck++
	s.mu.Unlock()
	go func() {
		group.Wait()
		s.unstick()
	}()
}

// counts tells the state of the slots; reserved ones count as free.
func (s *slots) counts() (free, busy, stuck int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(s.total-s.busy-s.stuck, 0), s.busy, s.stuck
}
