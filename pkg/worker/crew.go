package worker

import "sync"

// crew are the goroutines that make runs. There is always one on its way
// while runs wait to be begun, so no run waits for another to end; but one
// that ends at once is followed by the next in the same goroutine, since a new
// stack for each run costs more than a quick run itself.
type crew struct {
	mu      sync.Mutex // guards the rest
	waiting []*run
	coming  bool // a goroutine is on its way
}

// take has runs made by f, in order.
func (c *crew) take(runs []*run, f func(*run)) {
	c.mu.Lock()
	c.waiting = append(c.waiting, runs...)
	call := c.call()
	c.mu.Unlock()
	if call {
		go c.serve(f)
	}
}

// call says whether a goroutine is to be started. c.mu is held.
func (c *crew) call() bool {
	if c.coming || len(c.waiting) == 0 {
		return false
	}
	c.coming = true
	return true
}

// serve makes runs until none wait.
func (c *crew) serve(f func(*run)) {
	c.mu.Lock()
	c.coming = false
	for len(c.waiting) > 0 {
		r := c.waiting[0]
		c.waiting[0] = nil
		c.waiting = c.waiting[1:]
		call := c.call()
		c.mu.Unlock()
		if call {
			go c.serve(f)
		}
		f(r)
		c.mu.Lock()
	}
	c.waiting = nil // the room in front of it
	c.mu.Unlock()
}
