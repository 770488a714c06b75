package cli

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// progress draws a bar with rate and time left into one line of a terminal.
// On anything that is not a terminal it draws nothing.
type progress struct {
	w     io.Writer // nil: draw nothing
	what  string
	total int
	start time.Time
	drawn time.Time
}

// progressPace is the pause between two drawings: ten a second look smooth.
const progressPace = 100 * time.Millisecond

func (a *app) progress(what string, total int, now time.Time) *progress {
	p := &progress{what: what, total: total, start: now}
	if isTerminal(a.Stderr) {
		p.w = a.Stderr
	}
	return p
}

// step draws the bar when the last drawing is old enough.
func (p *progress) step(done int, now time.Time) {
	if p.w == nil || (now.Sub(p.drawn) < progressPace && done < p.total) {
		return
	}
	p.drawn = now
	fmt.Fprintf(p.w, "\r\x1b[K%s", p.text(done, now.Sub(p.start)))
}

// finish takes the bar off the terminal.
func (p *progress) finish() {
	if p.w != nil && !p.drawn.IsZero() {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

const progressWidth = 24 // characters of the bar: the whole fits into 80 columns

func (p *progress) text(done int, took time.Duration) string {
	part := 1.0
	if p.total > 0 {
		part = float64(done) / float64(p.total)
	}
	full := int(part * progressWidth)
	bar := strings.Repeat("#", full) + strings.Repeat("-", progressWidth-full)
	line := fmt.Sprintf("%s [%s] %d/%d %3.0f%%", p.what, bar, done, p.total, part*100)
	if done > 0 && took > 0 {
		rate := float64(done) / took.Seconds()
		left := time.Duration(float64(p.total-done) / rate * float64(time.Second))
		line += fmt.Sprintf("  %.0f/s  %s left", rate, left.Round(time.Second))
	}
	return line
}
