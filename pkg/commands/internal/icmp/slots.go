package icmp

import "math/rand/v2"

// state of a slot.
type state uint8

const (
	slotFree     state = iota // never used, or its run is over without a reply
	slotWaiting               // sent, no answer yet
	slotAnswered              // a reply was read
)

// slot is one packet in flight. After that it keeps its token until it is
// taken again, so that late and duplicate replies are known for what they are.
type slot struct {
	run   *run
	token uint64
	// sentAt is on the lane's clock, wallAt the same instant in unix ns: just
	// before the packet was handed to the kernel.
	sentAt, wallAt int64
	// tx and rx are the kernel's times in unix ns; 0 when it gave none.
	tx, rx int64
	// readAt is when the reply was read, on the lane's clock.
	readAt int64
	key    uint32 // the kernel's number of the packet, for its send time
	seq    uint16
	state  state
	keyed  bool
}

const (
	slotBits = 24   // of a token; 16 million packets in flight
	slotKeep = 1024 // free slots that are left alone, for their tokens
)

// slots is the table of packets in flight. A token is the slot's index in the
// low bits and chance in the others.
type slots struct {
	all  []slot
	free []uint32 // ring: the slot that is free for longest is taken first
	head int
	n    int
	// bySeq finds a packet by its sequence, for errors that quote no token:
	// index+1 of the latest with that sequence.
	bySeq *[1 << 16]uint32
	seq   uint16
}

// take reserves a slot for a packet of r; false when there are too many.
func (t *slots) take(r *run) (uint32, bool) {
	var i uint32
	if t.n > slotKeep {
		i = t.free[t.head]
		t.head = (t.head + 1) % len(t.free)
		t.n--
	} else {
		if len(t.all) >= 1<<slotBits {
			return 0, false
		}
		i = uint32(len(t.all))
		t.all = append(t.all, slot{})
	}
	t.seq++
	t.all[i] = slot{run: r, state: slotWaiting, seq: t.seq, token: rand.Uint64()<<slotBits | uint64(i)}
	t.bySeq[t.seq] = i + 1
	return i, true
}

// release gives a slot back. Its token stays readable.
func (t *slots) release(i uint32) {
	if t.n == len(t.free) {
		bigger := make([]uint32, max(2*slotKeep, 2*len(t.free)))
		for k := range t.n {
			bigger[k] = t.free[(t.head+k)%len(t.free)]
		}
		t.free, t.head = bigger, 0
	}
	t.free[(t.head+t.n)%len(t.free)] = i
	t.n++
}

// byToken finds the slot of a token, nil when no packet of ours has it.
func (t *slots) byToken(token uint64) (uint32, *slot) {
	i := uint32(token & (1<<slotBits - 1))
	if int(i) >= len(t.all) || t.all[i].token != token {
		return 0, nil
	}
	return i, &t.all[i]
}

// bySequence finds the latest packet with a sequence.
func (t *slots) bySequence(seq uint16) (uint32, *slot) {
	i := t.bySeq[seq]
	if i == 0 || t.all[i-1].seq != seq {
		return 0, nil
	}
	return i - 1, &t.all[i-1]
}
