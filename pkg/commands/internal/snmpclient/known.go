package snmpclient

import (
	"sync"
	"time"
)

// bulkAgainAfter is when a device that does not answer GETBULK is tried again:
// its software may have changed.
const bulkAgainAfter = time.Hour

// known is what runs learnt of a device and leave for the next.
type known struct {
	key key
	// lookup is held by the run that walks the table of interface names, so
	// that others wait for it instead of walking too.
	lookup chan struct{}

	mu     sync.Mutex // guards everything below
	engine engine
	// chunk is how many objects its answers have room for; 0: not known.
	chunk int
	// bulk says that GETBULK worked, noBulk when it last did not.
	bulk   bool
	noBulk time.Time
	names  map[Selector]Interface
	walked time.Time
}

// try says whether to use GETBULK, and whether it worked before.
func (k *known) try() (bulk, sure bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.bulk || k.noBulk.IsZero() || time.Since(k.noBulk) > bulkAgainAfter, k.bulk
}

// learn notes how GETBULK went.
func (k *known) learn(works bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.bulk = works
	if !works {
		k.noBulk = time.Now()
	}
}

// room is how many objects to ask for at once, at most most.
func (k *known) room(most int) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.chunk > 0 {
		return min(k.chunk, most)
	}
	return most
}

func (k *known) setRoom(n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.chunk = n
}

func (k *known) setEngine(e engine) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.engine = e
}

func (k *known) getEngine() engine {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.engine
}
