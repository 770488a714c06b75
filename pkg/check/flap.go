package check

import (
	"fmt"
	"math/bits"
)

// Flap makes one long incident of a check whose state goes to and fro. A check
// flaps from the result on with which High percent of the latest Window
// results had another state than the one before them, until fewer than Low
// percent have. Zero values mean the defaults.
//
// While it flaps an open incident does not resolve and says FLAPPING; it is
// updated only when the state becomes worse than it was.
type Flap struct {
	Window int `json:"window,omitempty"`
	High   int `json:"high,omitempty"`
	Low    int `json:"low,omitempty"`
}

// Defaults and bounds of Flap. Low is half of High when it is not set. A window
// fits into the bits of Last.Turns, which other programs read as a JSON number.
const (
	DefaultFlapWindow = 20
	DefaultFlapHigh   = 50 // percent
	MinFlapWindow     = 4
	MaxFlapWindow     = 50
)

// Filled gives f with the defaults in it.
func (f Flap) Filled() Flap {
	if f.Window == 0 {
		f.Window = DefaultFlapWindow
	}
	if f.High == 0 {
		f.High = DefaultFlapHigh
	}
	if f.Low == 0 {
		f.Low = max(1, f.High/2)
	}
	return f
}

// canonical leaves out what is default.
func (f Flap) canonical() Flap {
	f = f.Filled()
	if f.Window == DefaultFlapWindow {
		f.Window = 0
	}
	if f.Low == max(1, f.High/2) {
		f.Low = 0
	}
	if f.High == DefaultFlapHigh {
		f.High = 0
	}
	return f
}

// countFlaps notes whether the state turned, and whether the check flaps.
func (l *Last) countFlaps(f *Flap, last *Last) {
	if f == nil {
		return
	}
	at := f.Filled()
	if last != nil {
		l.Turns = last.Turns << 1
		if last.State != l.State {
			l.Turns |= 1
		}
		l.Turns &= 1<<at.Window - 1
	}
	percent := bits.OnesCount64(l.Turns) * 100 // times the window
	l.Flapping = percent >= at.High*at.Window || last != nil && last.Flapping && percent >= at.Low*at.Window
}

// flapText says how much the check flaps.
func (l *Last) flapText(f *Flap) string {
	text := fmt.Sprintf("%d of the last %d results turned the state", bits.OnesCount64(l.Turns), f.Filled().Window)
	if l.Text != "" {
		text += "; " + l.Text
	}
	return CleanText(text, MaxText)
}
