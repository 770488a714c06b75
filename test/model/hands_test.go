package model_test

import (
	"math"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// passes is after how many passes of repair everything must be in order again.
const passes = 2

// touch lets a check be odd until repair has seen it.
func (f *fact) touch() { f.touched = passes }

// handSpec writes a text straight into specs: a new check, an edit, or rubbish.
func (w *world) handSpec() {
	id := w.id()
	text := w.text(id)
	switch w.rng.IntN(5) {
	case 0:
		text = "{"
	case 1:
		if w.facts[id].newest.spec != "" {
			text = w.facts[id].newest.spec // back again
		}
	}
	w.note("  %s %s", id, text)
	w.must(w.q.Client().HSet(w.t.Context(), w.q.KeySpecs(lane), id, text).Err())
	w.facts[id].spec = text
	w.facts[id].touch()
}

// handDrop takes a text out of specs.
func (w *world) handDrop() {
	id := w.id()
	w.note("  %s", id)
	w.must(w.q.Client().HDel(w.t.Context(), w.q.KeySpecs(lane), id).Err())
	if f := w.facts[id]; f.spec != "" {
		f.spec = ""
		f.touch()
	}
}

// handScore writes a due time: a check or not, sense or not.
func (w *world) handScore() {
	id := w.id()
	if w.rng.IntN(5) == 0 {
		id = some(w, strange)
	}
	score := some(w, []float64{
		0, -1, 0.5, float64(w.snap.now / 1000), float64(w.snap.now), float64(w.snap.now) + 0.5, float64(w.snap.now) - 60_000,
		float64(w.snap.now) + 300_000, float64(w.snap.now) + 1e9, 1e300, math.Inf(1), math.Inf(-1), 1e11, 1e12, 5e-324,
	})
	w.note("  %q %v", id, score)
	w.must(w.q.Client().ZAdd(w.t.Context(), w.q.KeyDue(lane), redis.Z{Score: score, Member: id}).Err())
	f := w.facts[id]
	if f == nil {
		w.strays = passes
		return
	}
	f.scored = passes
	switch rec, junk := w.record(id); {
	case rec.State == "queued" || rec.State == "leased" || rec.State == "done":
		f.beside = true
	case rec.Owner != "": // removed during its run, and perhaps set anew
		f.beside = true
		f.touch()
	case junk || rec.State != "waiting" || rec.Paused:
		f.touch()
	}
}

// handJunk writes rubbish into runs or last.
func (w *world) handJunk() {
	id, f := w.id(), (*fact)(nil)
	if w.rng.IntN(4) == 0 {
		id = some(w, strange)
		w.strays = passes
	} else {
		f = w.facts[id]
	}
	junk := some(w, []string{"junk", "", "trash", "w - 5", "q - 1 --- - 0 0 1-0 - abc 0", "\xff"})
	key := w.q.KeyRuns(lane)
	if w.rng.IntN(2) == 0 {
		key = w.q.KeyLast(lane)
	}
	w.note("  %s %q %q", key, id, junk)
	w.must(w.q.Client().HSet(w.t.Context(), key, id, junk).Err())
	switch {
	case f == nil:
	case key == w.q.KeyRuns(lane):
		f.loseRecord()
	default:
		f.last = junk
		f.touch()
	}
}

// loseRecord: what the record knew is gone, the requests that were applied too.
func (f *fact) loseRecord() {
	f.touch()
	f.lost, f.entryLost, f.beside = true, false, false
	f.owner, f.commit, f.older, f.newest = nil, "", nil, request{}
}

func (w *world) loseRecord() {
	id := w.id()
	w.note("  %s", id)
	w.must(w.q.Client().HDel(w.t.Context(), w.q.KeyRuns(lane), id).Err())
	w.facts[id].loseRecord()
}

// loseKey deletes a whole key, or the group.
func (w *world) loseKey() {
	key := some(w, []string{
		w.q.KeyDue(lane), w.q.KeyReady(lane), w.q.KeyRuns(lane), w.q.KeyLast(lane), w.q.KeyIncidents(lane), "group",
	})
	w.note("  %s", key)
	if key == "group" {
		err := w.q.Client().XGroupDestroy(w.t.Context(), w.q.KeyReady(lane), redisqueue.GroupWorkers).Err()
		if err != nil && w.snap.delivered != "" {
			w.fail("%v", err)
		}
		return
	}
	w.must(w.q.Client().Del(w.t.Context(), key).Err())
	for id, f := range w.facts {
		rec, _ := w.record(id)
		switch key {
		case w.q.KeyDue(lane):
			f.touch()
		case w.q.KeyReady(lane):
			w.loseEntry(id, rec)
		case w.q.KeyRuns(lane):
			f.loseRecord()
		case w.q.KeyLast(lane):
			f.last = ""
		}
	}
	if key == w.q.KeyRuns(lane) {
		w.loose = passes
	}
}

func (w *world) loseEntry(id string, rec redisqueue.Record) {
	if f := w.facts[id]; f != nil && rec.SID != "" {
		f.entryLost = true
		f.touch()
	}
}

// losePending deletes an entry, or drops it from the pending list, or deletes
// a consumer with all that is pending for it.
func (w *world) losePending() {
	ctx := w.t.Context()
	lost := map[string]bool{}
	if sid := some(w, w.snap.held()); sid != "" {
		p := w.snap.pending[sid]
		switch w.rng.IntN(3) {
		case 0:
			w.must(w.q.Client().XDel(ctx, w.q.KeyReady(lane), sid).Err())
			lost[sid] = true
		case 1:
			w.must(w.q.Client().XAck(ctx, w.q.KeyReady(lane), redisqueue.GroupWorkers, sid).Err())
			lost[sid] = true
		case 2:
			w.must(w.q.Client().XGroupDelConsumer(ctx, w.q.KeyReady(lane), redisqueue.GroupWorkers, p.consumer).Err())
			for s, o := range w.snap.pending {
				if o.consumer == p.consumer {
					lost[s] = true
				}
			}
		}
	}
	w.note("  %v", lost)
	for sid := range lost {
		id := w.snap.entries[sid].id
		if rec, _ := w.record(id); rec.SID == sid {
			w.loseEntry(id, rec)
		}
	}
}

// repair makes a pass, and holds what it found against what hands did.
func (w *world) repair() {
	w.found = nil
	w.must(w.s.RepairOnce(w.t.Context(), lane))
	w.note("  %q", w.found)
	before := w.snap
	now := w.look()
	for sid, e := range now.entries {
		if f := w.facts[e.id]; !now.current(sid) && f != nil && f.touched > 0 {
			w.orphans[sid] = true
		}
	}
	for _, text := range w.found {
		w.foundOne(text)
	}
	for id, f := range w.facts {
		if before.runs[id].State == "done" && now.runs[id].State == "removed" {
			f.spec, f.last, f.commit = "", "", ""
		}
		f.touched, f.scored = max(f.touched-1, 0), max(f.scored-1, 0)
	}
	w.loose, w.strays = max(w.loose-1, 0), max(w.strays-1, 0)
}

// foundOne takes a finding of repair over into the model.
func (w *world) foundOne(text string) {
	slash := len(text) - 1
	for text[slash] != '/' {
		slash--
	}
	id, kind := text[:slash], text[slash+1:]
	f := w.facts[id]
	if f == nil {
		if w.strays == 0 {
			w.fail("repair found %s, and nobody did anything", text)
		}
		return
	}
	// What was lost with a run that went on is found when its lease is over.
	if f.touched == 0 && f.scored == 0 && !(f.entryLost && (kind == "lost_entry" || kind == "lost_pending")) {
		w.fail("repair found %s, and nobody did anything", text)
	}
	switch kind {
	case "vanished":
		w.gone(id)
	case "stray":
		f.last = ""
	case "lost_entry", "lost_pending":
		f.owner, f.entryLost = nil, false
	}
}

// settle makes the passes after which everything must be in order.
func (w *world) settle() {
	for range passes {
		w.repair()
		w.snap = w.look()
		w.check()
	}
}
