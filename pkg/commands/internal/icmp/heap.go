package icmp

// runHeap orders runs by the time of their next event. Each run knows its
// place, so that it can be moved and removed; pos is -1 outside. The times
// stand beside the runs, which lie all over memory.
type runHeap []event

type event struct {
	at  int64
	run *run
}

func (h *runHeap) push(r *run) {
	r.pos = len(*h)
	*h = append(*h, event{r.at, r})
	h.up(r.pos)
}

// fix puts r right after its time has changed.
func (h runHeap) fix(r *run) {
	h[r.pos].at = r.at
	if !h.down(r.pos) {
		h.up(r.pos)
	}
}

func (h *runHeap) remove(r *run) {
	i, last := r.pos, len(*h)-1
	if i < 0 {
		return
	}
	h.swap(i, last)
	(*h)[last] = event{}
	*h = (*h)[:last]
	r.pos = -1
	if i < last && !h.down(i) {
		h.up(i)
	}
}

func (h runHeap) swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].run.pos, h[j].run.pos = i, j
}

func (h runHeap) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if h[parent].at <= h[i].at {
			return
		}
		h.swap(i, parent)
		i = parent
	}
}

func (h runHeap) down(i int) (moved bool) {
	for {
		child := 2*i + 1
		if child >= len(h) {
			return moved
		}
		if r := child + 1; r < len(h) && h[r].at < h[child].at {
			child = r
		}
		if h[i].at <= h[child].at {
			return moved
		}
		h.swap(i, child)
		i, moved = child, true
	}
}
