package worker

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// read reads what there is to read and room for. Its error says that the
// reader's place is lost; the queue being away is none, it is tried again.
func (f *feed) read(p phases) error {
	for f.going(p) && f.mayRead() {
		room := f.room()
		req := check.ChangeRequest{DeliveryHold: f.hold, After: f.after, Count: room}
		page, err := f.d.out.FetchChanges(p.queue, req)
		switch {
		case errors.Is(err, check.ErrNoReader):
			return err
		case err != nil:
			f.fails++
			f.readAt = time.Now().Add(jitter(min(firstPause<<min(f.fails-1, 10), longPause)))
			f.w.away.note("read changes", err)
			return nil
		case !page.Mine:
			f.lose("the queue says so")
			return nil
		}
		f.w.away.passed("read changes")
		f.fails = 0
		more := f.took(p, page, room)
		f.readAt = time.Now().Add(jitter(figuresEvery))
		if !more {
			break
		}
	}
	f.skip(p)
	return nil
}

// mayRead says whether it is time to read, and notes that it is done.
func (f *feed) mayRead() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fails > 0 && time.Now().Before(f.readAt) {
		return false
	}
	if f.news && f.free() > 0 || !time.Now().Before(f.readAt) {
		f.news = false
		return true
	}
	return false
}

// room is how many changes may be read now.
func (f *feed) room() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.free()
}

// free is room while mu is held.
func (f *feed) free() int {
	switch {
	case f.lines.count >= maxHeld:
		return 0
	case f.after != "":
		return fetchPage // those are this feed's in any case
	case f.streak >= outage && f.lines.count >= window:
		return 0
	}
	return min(fetchPage, max(window-f.lines.loaded, 0))
}

// took sorts what was read, and says whether there is more to read at once.
func (f *feed) took(p phases, page check.ChangePage, room int) (more bool) {
	f.mu.Lock()
	f.server, f.local, f.left = page.Now, time.Now(), page.Left
	f.mu.Unlock()
	f.trimmed(page.Trimmed)
	for _, e := range page.Entries {
		f.sort(p, e)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	n := len(page.Entries)
	switch {
	case room == 0: // figures only
	case f.after == "":
		more = n > 0 && n == room
	case n == 0: // now what nobody has read
		f.after, more = "", true
	default:
		f.after, more = page.Entries[n-1].SID, true
	}
	f.news = f.news || more || room == 0 && (page.Left != 0 || f.after != "")
	return more
}

// sort puts an entry into the line of its check, or aside.
func (f *feed) sort(p phases, e check.ChangeEntry) {
	if e.Event == "" {
		f.trimmed(1)
		f.skips = append(f.skips, e.SID)
		return
	}
	if e.For != "" && e.For != f.h.Name {
		f.skips = append(f.skips, e.SID)
		return
	}
	ev, err := parseChange(e.Event)
	if err != nil {
		f.discard(p, e, err)
		return
	}
	// What follows an opening may be of an incident that the handler knows
	// although it would not want it now: that is asked when its turn has come.
	if ev.Change == check.ChangeOpen && e.For == "" && !f.h.wants(ev) {
		f.skips = append(f.skips, e.SID)
		f.w.delivered(f.h, DeliverySkipped, 0)
		return
	}
	f.mu.Lock()
	f.lines.add(ev.Check.ID, e.SID, ev, f.lines.loaded < window)
	f.mu.Unlock()
}

// parseChange reads the event of an entry.
func parseChange(text string) (*check.Event, error) {
	ev := &check.Event{}
	if err := json.Unmarshal([]byte(text), ev); err != nil {
		return nil, errors.Join(errNotEvent, err)
	}
	if ev.Check.ID == "" || ev.Change == check.ChangeNone || ev.Incident == nil || ev.Incident.ID == "" {
		return nil, errNotEvent
	}
	return ev, nil
}

// discard gives up an entry that nobody can deliver. What fails here is found
// again by the next reader.
func (f *feed) discard(p phases, e check.ChangeEntry, why error) {
	if f.w.warned.allow("unreadable change for " + f.h.Name) {
		f.w.log.Error("an entry of changes is unreadable", "lane", f.hold.Lane.String(), "handler", f.h.Name, "entry", e.SID, "err", why)
	}
	letter := check.DeadLetter{Event: e.Event, Reason: check.CleanText(why.Error(), check.MaxText), Entry: e.SID}
	if _, err := f.d.out.Bury(p.queue, f.hold, letter); err != nil {
		f.w.away.note("bury", err)
		return
	}
	f.w.delivered(f.h, DeliveryDead, 0)
}

// skip acknowledges entries that are none of the handler's.
func (f *feed) skip(p phases) {
	for len(f.skips) > 0 {
		part := f.skips[:min(len(f.skips), 1000)]
		if _, err := f.d.out.Settle(p.queue, f.hold, check.Settlement{SIDs: part}); err != nil {
			f.w.away.note("settle", err)
			f.skips = f.skips[max(len(f.skips)-maxHeld, 0):] // the next reader finds them
			return
		}
		f.w.away.passed("settle")
		f.skips = f.skips[len(part):]
	}
	f.skips = nil
}

// trimmed counts changes that were gone before they were delivered.
func (f *feed) trimmed(n int) {
	if n == 0 {
		return
	}
	f.w.cfg.Deliveries.Trimmed(f.h.Name, f.hold.Lane.Zone, n)
	if f.w.warned.allow("trimmed changes for " + f.h.Name) {
		f.w.log.Error("changes were trimmed before they were delivered", "lane", f.hold.Lane.String(), "handler", f.h.Name, "count", n)
	}
}
