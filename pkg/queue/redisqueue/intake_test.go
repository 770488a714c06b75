package redisqueue

import (
	"strings"
	"testing"

	"github.com/redpoll/redpoll/pkg/check"
)

// What is too long to be accepted is not read either: it comes with its size,
// between the others and in order, also when it is pending.
func TestGiantRequestsAreNotRead(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		if _, err := r.IntakeNew(ctx, 10, 0); err != nil { // makes the group
			t.Fatal(err)
		}
		giant := strings.Repeat("x", maxRequest)
		var want []string
		for _, text := range []string{"a", giant, "b", "c", giant, giant, strings.Repeat("y", 100_000)} {
			id, err := r.Request(ctx, []string{"id", text})
			r.must(err)
			want = append(want, id)
		}
		sizes := func(read func() ([]check.IntakeEntry, error)) (ids []string, pages []int, giants int) {
			t.Helper()
			for range 20 {
				entries, err := read()
				r.must(err)
				if len(entries) == 0 {
					return ids, pages, giants
				}
				pages = append(pages, len(entries))
				for _, e := range entries {
					ids = append(ids, e.EntryID)
					switch {
					case e.Size > 0 && (e.Fields != nil || e.Size != maxRequest+2):
						t.Errorf("entry %s has %d bytes and %d fields, want %d and none", e.EntryID, e.Size, len(e.Fields), maxRequest+2)
					case e.Size > 0:
						giants++
						r.must(r.IntakeDone(ctx, []check.Verdict{{Entry: e.EntryID, Verdict: check.VerdictRejected}}))
					case len(e.Fields) != 1:
						t.Errorf("entry %s has %d fields, want 1", e.EntryID, len(e.Fields))
					}
				}
			}
			t.Fatal("it goes on for ever")
			return nil, nil, 0
		}
		ids, pages, giants := sizes(func() ([]check.IntakeEntry, error) { return r.IntakeNew(ctx, 10, 0) })
		if strings.Join(ids, " ") != strings.Join(want, " ") || giants != 3 || len(pages) != 6 {
			t.Errorf("read %v in pages %v with %d giants, want %v and 3", ids, pages, giants, want)
		}
		after := "0-0"
		ids, _, giants = sizes(func() ([]check.IntakeEntry, error) {
			entries, err := r.IntakePending(ctx, after, 10)
			if len(entries) > 0 {
				after = entries[len(entries)-1].EntryID
			}
			return entries, err
		})
		if strings.Join(ids, " ") != strings.Join([]string{want[0], want[2], want[3], want[6]}, " ") || giants != 0 {
			t.Errorf("pending are %v with %d giants, want the small ones", ids, giants)
		}
	})
}

// One that was read before it was looked at, by an older scheduler or during a
// wait, is not read again.
func TestGiantThatIsPending(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		r.must(r.makeGroup(ctx, r.KeyIntake(), GroupSchedulers))
		id, err := r.Request(ctx, []string{"id", strings.Repeat("x", maxRequest)})
		r.must(err)
		if entries, err := r.intakeFrom(ctx, ">", 1, 0); err != nil || len(entries) != 1 {
			t.Fatalf("intakeFrom() = %d entries, %v", len(entries), err)
		}
		entries, err := r.IntakePending(ctx, "0-0", 10)
		if err != nil || len(entries) != 1 || entries[0].EntryID != id || entries[0].Size == 0 {
			t.Errorf("IntakePending() = %d entries, %v, want the giant with its size", len(entries), err)
		}
	})
}

// A page of requests holds a few MiB at most.
func TestPagesOfRequestsAreBounded(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		r.must(r.makeGroup(ctx, r.KeyIntake(), GroupSchedulers))
		const each, all = 200_000, 40
		for range all {
			_, err := r.Request(ctx, []string{"id", strings.Repeat("x", each)})
			r.must(err)
		}
		got := 0
		for page := 1; got < all; page++ {
			entries, err := r.IntakeNew(ctx, 200, 0)
			r.must(err)
			if got += len(entries); len(entries) == 0 || len(entries) > maxRequests/each+1 {
				t.Fatalf("page %d has %d requests of %d bytes, want at most %d bytes", page, len(entries), each, maxRequests)
			}
		}
	})
}
