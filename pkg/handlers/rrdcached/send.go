package rrdcached

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/redpoll/redpoll/pkg/handlers/internal/outbox"
)

// chunk is how many files are made in one BATCH: each costs the server a write
// of the whole file.
const chunk = 100

// noFile begins the refusal of an update whose file is missing.
const noFile = "No such file"

// send passes a batch on: the updates first, then files for those that have
// none, each with its update.
func (h *Handler) send(ctx context.Context, b outbox.Batch) (done, lost int, err error) {
	all, err := parseUpdates(h.all[:0], b.Text())
	if err != nil {
		return b.Len(), b.Values(), err
	}
	text := h.text[:0]
	for i := range all {
		text = all[i].appendUpdate(text)
	}
	h.all, h.text = all, text
	refused, err := h.client.batch(ctx, text, len(all))
	if err != nil {
		return 0, 0, err
	}
	var why error
	var missing []update
	for _, r := range refused {
		u := &all[r.command]
		switch {
		case r.repeated():
		case strings.HasPrefix(r.text, noFile):
			missing = append(missing, *u)
		default:
			lost, why = lost+1, u.refused(r)
		}
	}
	for len(missing) > 0 {
		n := min(len(missing), chunk)
		refused, err := h.create(ctx, missing[:n])
		if err != nil {
			return 0, 0, err
		}
		if len(refused) > 0 {
			lost, why = lost+len(refused), refused[0]
		}
		missing = missing[n:]
	}
	return b.Len(), lost, why
}

// create makes the files of updates and writes those; it gives an error for each
// that was refused. Another update of the batch, or another worker, may have made
// a file in the meantime.
func (h *Handler) create(ctx context.Context, missing []update) (lost []error, err error) {
	var text []byte
	for i := range missing {
		text = missing[i].appendCreate(text, h.Archives)
		text = missing[i].appendUpdate(text)
	}
	refused, err := h.client.batch(ctx, text, 2*len(missing))
	if err != nil {
		return nil, err
	}
	complaints := map[int]string{} // about the CREATE before an UPDATE
	for _, r := range refused {
		if r.command%2 == 0 {
			complaints[r.command+1] = r.text
			continue
		}
		if r.repeated() {
			continue
		}
		if c := complaints[r.command]; c != "" && strings.HasPrefix(r.text, noFile) {
			r.text = c
		}
		lost = append(lost, missing[r.command/2].refused(r))
	}
	return lost, nil
}

// refused is the error of an update. It is not tried again.
func (u *update) refused(r refusal) error {
	return fmt.Errorf("%s: %.300s", u.path, r.text)
}

// repeated says whether an update was refused since the file has it: it comes
// a second time when the answer to the first got lost.
//
//	illegal attempt to update using time 1767225600.500000 when last update time is 1767225600.500000 (minimum one second step)
func (r refusal) repeated() bool {
	rest, ok := strings.CutPrefix(r.text, "illegal attempt to update using time ")
	if !ok {
		return false
	}
	mine, rest, _ := strings.Cut(rest, " when last update time is ")
	last, _, _ := strings.Cut(rest, " ")
	a, err := strconv.ParseFloat(mine, 64)
	b, err2 := strconv.ParseFloat(last, 64)
	return err == nil && err2 == nil && a == b
}
