package scheduler

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

const (
	// downtimeMemory is how long a downtime that is over stays in the list.
	downtimeMemory = time.Hour
	// deletedMemory is how long what is left of a deleted one holds off older
	// requests: a scheduler that was frozen for longer has lost its connection.
	deletedMemory = 24 * time.Hour
)

// onDowntime says whether the request is about a downtime, not about a check.
func (r *request) onDowntime() bool {
	return r.req.Op == check.OpDowntime || r.req.Op == check.OpDowntimeDelete
}

// acceptDowntime completes a new downtime with what its entry says.
func (r *request) acceptDowntime() {
	if r.req.Downtime == nil {
		return
	}
	if err := r.req.Downtime.Accept(r.entry, entryMS(r.entry)); err != nil {
		r.reject(err.Error())
	}
	r.req.ID = r.req.Downtime.ID
	r.verdict.ID = r.req.ID
}

// applyDowntimes applies requests about downtimes, one after the other.
func (b *batch) applyDowntimes(ctx context.Context, reqs []*request) error {
	for _, r := range reqs {
		if err := b.stillMine(ctx); err != nil {
			return err
		}
		if err := b.downtime(ctx, r); err != nil {
			b.leave(ctx, []*request{r}, err)
		}
	}
	return nil
}

// downtime writes a downtime, or that it was deleted, unless a newer request
// did so before.
func (b *batch) downtime(ctx context.Context, r *request) error {
	for range maxConflicts {
		old, err := b.s.q.Downtime(ctx, r.req.ID)
		if err != nil {
			return err
		}
		var was check.Downtime
		_ = json.Unmarshal([]byte(old), &was) // what cannot be read is replaced
		text := r.downtimeAfter(old != "", &was)
		if !r.open() {
			return nil
		}
		out, err := b.s.q.PutDowntime(ctx, r.req.ID, old, text)
		switch {
		case err != nil:
			return err
		case out == check.AdoptConflict:
			continue
		case out == check.AdoptUnchanged:
			out = check.AdoptRepeated // the entry is in it
		case out != check.AdoptChanged:
			r.reject("there are too many downtimes: delete some")
			return nil
		}
		if r.req.Downtime != nil {
			if err := b.warnMissing(ctx, r); err != nil {
				return err
			}
		}
		r.conclude(out)
		return nil
	}
	r.reject("the downtime was changed by others while this was applied, five times: send it again")
	return nil
}

// downtimeAfter gives the text that follows what stands there, or concludes
// the request.
func (r *request) downtimeAfter(there bool, was *check.Downtime) string {
	if there && was.Entry != "" {
		switch c := compareEntries(was.Entry, r.entry); {
		case c == 0:
			r.conclude(check.AdoptRepeated)
			return ""
		case c > 0 && r.again:
			r.warnings = append(r.warnings, "a newer request for this downtime was applied since")
			r.accept()
			return ""
		case c > 0:
			r.reject("a newer request for this downtime was applied before")
			return ""
		}
	}
	if r.req.Op == check.OpDowntime {
		return r.req.Downtime.Text()
	}
	if !there || was.Deleted != 0 {
		r.reject("there is no downtime " + r.req.ID)
		return ""
	}
	ms := entryMS(r.entry)
	gone := check.Downtime{ID: r.req.ID, Entry: r.entry, At: ms, Deleted: ms, By: r.req.By, Comment: r.req.Comment}
	return gone.Text()
}

// warnMissing names checks that a downtime covers by their ids and that are not
// there.
func (b *batch) warnMissing(ctx context.Context, r *request) error {
	d := r.req.Downtime
	zone := d.ZoneName()
	if zone == check.AllZones {
		return nil
	}
	ids := map[check.Lane][]string{}
	for _, id := range d.Checks {
		if !strings.ContainsAny(id, "*?") {
			lane := b.laneOf(zone, id)
			ids[lane] = append(ids[lane], id)
		}
	}
	var missing []string
	for lane, part := range ids {
		stored, err := b.s.q.Specs(ctx, lane, part)
		if err != nil {
			return err
		}
		for _, st := range stored {
			if st.Spec == "" {
				missing = append(missing, st.ID)
			}
		}
	}
	if len(missing) > 0 {
		r.warnings = append(r.warnings, "there is no check "+strings.Join(missing, ", ")+" in zone "+zone)
	}
	return nil
}

// cleanDowntimes takes out downtimes that are over and what is left of deleted
// ones.
func (s *Scheduler) cleanDowntimes(ctx context.Context) error {
	all, err := s.q.Downtimes(ctx)
	if err != nil || len(all) == 0 {
		return err
	}
	now, err := s.q.Now(ctx)
	if err != nil {
		return err
	}
	for id, text := range all {
		d, err := check.ParseDowntime(text)
		if err != nil {
			s.log.WarnContext(ctx, "downtime cannot be read", "downtime", clean(id, maxWord), "err", err)
			continue
		}
		old := d.Deleted != 0 && d.Deleted < now-deletedMemory.Milliseconds() ||
			d.Deleted == 0 && d.Over(now-downtimeMemory.Milliseconds())
		if !old {
			continue
		}
		if _, err := s.q.PutDowntime(ctx, id, text, ""); err != nil {
			return err
		}
	}
	return nil
}
