package cli

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// topScreen is where a frame is drawn.
type topScreen struct {
	width, height int
	color         *printer // paints words, or does not
}

// topState is what the frame tells beside the fleet.
type topState struct {
	redis, zone, order string
	paused             bool
	live               bool // there are keys
	trouble            string
}

// draw gives the lines of a frame, at most height of at most width characters.
// Before the first answer there is nothing to tell, which is no empty fleet.
func (s topScreen) draw(f topFrame, st topState) []string {
	if f.Now == 0 {
		first := fmt.Sprintf("redpoll %s  %s", st.redis, cmpOr(st.trouble, "waits for the first answer"))
		return s.foot([]string{cutLine(clean(first), s.width)}, st)
	}
	lines := s.head(f, st)
	left := s.height - len(lines)
	if st.live {
		left--
	}
	zoned := st.zone == "" && len(f.Zones) > 1
	workers, incidents, latest := s.workers(f), s.incidents(f, zoned), s.latest(f, st.order, zoned)
	// A title each, a line between; what one does not need the next may have.
	left -= 5
	n := min(max(len(f.Workers), 1), max(left/4, 1))
	lines = append(lines, s.section(workers, n)...)
	left -= n
	n = min(max(len(f.Incidents), 1), max(left/2, 1))
	lines = append(append(lines, ""), s.section(incidents, n)...)
	lines = append(append(lines, ""), s.section(latest, max(left-n, 1))...)
	return s.foot(lines[:min(len(lines), max(s.height-1, 1))], st)
}

// foot adds what the keys do, at the bottom.
func (s topScreen) foot(lines []string, st topState) []string {
	if !st.live {
		return lines
	}
	for len(lines) < s.height-1 {
		lines = append(lines, "")
	}
	pause := "p pause"
	if st.paused {
		pause = "p go on"
	}
	return append(lines, cutLine(fmt.Sprintf("q quit   %s   s sort: %s   z zone: %s", pause, st.order, cmpOr(st.zone, "all")), s.width))
}

// head is what is known of the fleet as a whole.
func (s topScreen) head(f topFrame, st topState) []string {
	first := fmt.Sprintf("redpoll %s  zone %s  %s", st.redis, cmpOr(st.zone, "all"), time.UnixMilli(f.Now).Local().Format("15:04:05"))
	switch {
	case st.trouble != "":
		first += "  " + clean(st.trouble)
	case st.paused:
		first += "  paused"
	}
	late := "-"
	if f.Overdue > 0 {
		late = millis(f.Overdue)
	}
	lines := []string{
		first,
		fmt.Sprintf("checks %d  waiting %d  due in 60 s %d  queued %d  running %d  overdue %s  lanes %d", f.Checks, f.Waiting, f.Due60, f.Queued, f.Running, late, f.Lanes),
		fmt.Sprintf("results %.1f/s  late p50 %s p99 %s  ran p50 %s p99 %s  not OK %d of %d", f.Rate, millis(f.LateP50), millis(f.LateP99),
			millis(f.TookP50), millis(f.TookP99), f.NotOK, f.Sample),
		fmt.Sprintf("workers %d live, %d dead  slots %d, %s busy  incidents %d open", f.Live, f.Dead, f.Slots, share(f.Busy, f.Slots), f.Open),
		"",
	}
	for i := range lines {
		lines[i] = cutLine(lines[i], s.width)
	}
	return lines
}

// share writes a part of a number with its percentage.
func share(part, all int) string {
	if all == 0 {
		return fmt.Sprint(part)
	}
	return fmt.Sprintf("%d (%d%%)", part, (100*part+all/2)/all)
}

// topTable is one section: a head and rows; only those that fit are shown.
type topTable struct {
	head []string
	rows [][]string
	none string // what stands there without rows
}

func (s topScreen) workers(f topFrame) topTable {
	t := topTable{head: []string{"WORKER", "STATE", "BUSY", "", "BEAT", "UP", "ZONES", "VERSION"}, none: "no worker"}
	for _, w := range f.Workers {
		state := "dead"
		if w.Live {
			state = "live"
		}
		t.rows = append(t.rows, []string{
			shorten(w.Name, 24), state, fmt.Sprintf("%d/%d", w.Busy, w.Slots), bar(w.Busy, w.Slots), ago(time.Duration(w.Age) * time.Millisecond),
			roughly(time.Duration(f.Now-w.Started) * time.Millisecond), shorten(strings.Join(w.Zones, ","), 20), w.Version,
		})
	}
	return t
}

// bar draws a share in ten characters.
func bar(part, all int) string {
	full := 0
	if all > 0 {
		full = min(max((10*part+all-1)/all, 0), 10)
	}
	return strings.Repeat("#", full) + strings.Repeat(".", 10-full)
}

func (s topScreen) incidents(f topFrame, zoned bool) topTable {
	t := topTable{head: []string{"INCIDENT", "STATE", "FOR", "REASON", "ACK", "TEXT"}, none: "no open incident"}
	for _, r := range f.Incidents {
		t.rows = append(t.rows, []string{
			checkName(r.Zone, r.Check, zoned), r.To.String(), roughly(time.Duration(f.Now-r.Opened) * time.Millisecond), shorten(cmpOr(r.Reason, "-"), 20),
			shorten(r.ackText(), 16), r.Text,
		})
	}
	return t
}

func (s topScreen) latest(f topFrame, order string, zoned bool) topTable {
	t := topTable{head: []string{strings.ToUpper(order), "STATE", "LATE", "RAN", "AGO", "WORKER", "REASON", "TEXT"}, none: "nothing in the latest results"}
	for _, r := range f.Latest {
		t.rows = append(t.rows, []string{
			checkName(r.Zone, r.ID, zoned), r.State.String(), millis(r.Late), millis(r.Took), roughly(time.Duration(max(f.Now-r.Finished, 0)) * time.Millisecond),
			shorten(cmpOr(r.Worker, "-"), 20), shorten(cmpOr(r.Reason, "-"), 20), r.Text,
		})
	}
	return t
}

// checkName names a check, with its zone where there are several.
func checkName(zone, id string, zoned bool) string {
	if zoned {
		return shorten(zone+"/"+id, 28)
	}
	return shorten(id, 28)
}

// section lays out a head and the first n rows.
func (s topScreen) section(t topTable, n int) []string {
	rows := t.rows[:min(n, len(t.rows))]
	if len(rows) == 0 {
		return []string{cutLine(t.head[0], s.width), cutLine(t.none, s.width)}
	}
	width := make([]int, len(t.head))
	for i, h := range t.head {
		width[i] = len(h)
	}
	for _, row := range rows {
		for i := range row {
			row[i] = clean(row[i])
			width[i] = max(width[i], utf8.RuneCountInString(row[i]))
		}
	}
	lines := []string{s.row(t.head, width)}
	for _, row := range rows {
		lines = append(lines, s.row(row, width))
	}
	return lines
}

// row lays out one row. Its cells are cut before they are painted.
func (s topScreen) row(cells []string, width []int) string {
	var b strings.Builder
	at := 0
	for i, cell := range cells {
		if i > 0 {
			at += 2
		}
		if at >= s.width {
			break
		}
		if i > 0 {
			b.WriteString("  ")
		}
		text := cutLine(cell, s.width-at)
		b.WriteString(s.color.paint(text))
		if pad := min(width[i], s.width-at) - utf8.RuneCountInString(text); pad > 0 && i < len(cells)-1 {
			b.WriteString(strings.Repeat(" ", pad))
		}
		at += width[i]
	}
	return strings.TrimRight(b.String(), " ")
}

// cutLine cuts a line to a width.
func cutLine(line string, width int) string {
	if utf8.RuneCountInString(line) <= width {
		return line
	}
	return string([]rune(line)[:max(width, 0)])
}
