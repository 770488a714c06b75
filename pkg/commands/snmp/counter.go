package snmp

import (
	"math"
	"time"
)

// sample is a counter as it was read, with what tells whether it went on
// counting since the sample before.
type sample struct {
	count uint64
	width uint8 // bits
	at    time.Time
	// uptime is sysUpTime and broken is ifCounterDiscontinuityTime, in
	// hundredths of a second, modulo 2^32.
	uptime, broken ticks
}

// ticks is a TimeTicks value that may not be there.
type ticks struct {
	n  uint32
	ok bool
}

// why says for what reason two samples give no rate.
type why string

// The reasons for there being no rate.
const (
	rated      why = ""
	first      why = "first sample"
	tooSoon    why = "sampled a moment ago"
	restarted  why = "the device restarted or a clock was set"
	interrupts why = "the counter was interrupted"
	newWidth   why = "the counter changed its width"
	backwards  why = "the counter went back"
)

// minGap is the least time between two samples that a rate is made of: agents
// update their counters about once a second, and two runs in one instant have
// no time between them to divide by.
const minGap = 500 * time.Millisecond

// rate gives the counts per second between two samples.
func rate(last, now sample) (perSecond float64, w why) {
	gap := now.at.Sub(last.at)
	switch {
	case last.at.IsZero():
		return 0, first
	case last.width != now.width:
		return 0, newWidth
	case gap < 0:
		return 0, restarted
	case gap < minGap:
		return 0, tooSoon
	case !continuous(last.uptime, now.uptime, gap):
		return 0, restarted
	case last.broken != now.broken:
		return 0, interrupts
	}
	delta, ok := advance(last.count, now.count, now.width)
	if !ok {
		return 0, backwards
	}
	return float64(delta) / gap.Seconds(), rated
}

// advance gives the distance from one count to the next on a circle of 2^width.
// A counter of 64 bits does not come round in a lifetime: more than half of
// the circle is a step back.
func advance(from, to uint64, width uint8) (delta uint64, ok bool) {
	if width == 32 {
		return uint64(uint32(to) - uint32(from)), true
	}
	delta = to - from
	return delta, delta <= math.MaxInt64
}

// continuous says whether a clock of hundredths that wraps at 2^32, after 497
// days, went on by about gap. After a restart it did not, wherever it stands
// now; at its wrap it did. Where there is no clock nothing can be said.
func continuous(last, now ticks, gap time.Duration) bool {
	if !last.ok || !now.ok {
		return true
	}
	const round = 1 << 32
	want := math.Mod(gap.Seconds()*100, round)
	off := math.Abs(float64(now.n-last.n) - want)
	off = min(off, round-off)
	// 5 seconds for retries and clocks of other workers, 5% for bad clocks.
	return off <= 500+want/20
}
