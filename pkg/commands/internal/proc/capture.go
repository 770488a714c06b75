package proc

import "sync"

// capture keeps the first bytes of two streams, with one budget for both, and
// swallows the rest, so that the program never blocks on a full pipe.
type capture struct {
	mu             sync.Mutex // guards the rest
	left           int
	cut            bool
	stdout, stderr []byte
}

func newCapture(limit int) *capture {
	if limit <= 0 {
		limit = DefaultOutput
	}
	return &capture{left: limit}
}

// taken gives what was kept. The slices are not written to any more.
func (c *capture) taken() (stdout, stderr []byte, cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left = 0
	return c.stdout, c.stderr, c.cut
}

// writer is one stream of a capture.
type writer struct {
	c    *capture
	kept *[]byte
}

// Write never fails and never blocks.
func (w writer) Write(p []byte) (int, error) {
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	n := min(len(p), w.c.left)
	*w.kept = append(*w.kept, p[:n]...)
	w.c.left -= n
	w.c.cut = w.c.cut || n < len(p)
	return len(p), nil
}
