package remotewrite

import (
	"context"
	"errors"
	"net/http"

	"github.com/klauspost/compress/snappy"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/handlers/internal/outbox"
	"github.com/redpoll/redpoll/pkg/handlers/internal/post"
)

// maxPieces is how many requests a batch may take that is refused in part: two
// bad results among a thousand take about forty.
const maxPieces = 100

var headers = http.Header{
	"Content-Encoding":                  {"snappy"},
	"X-Prometheus-Remote-Write-Version": {"0.1.0"},
}

// send passes a batch on. Prometheus refuses a request as a whole, if a single
// sample is out of order for one, so that a refused one is halved until the
// culprits are found. The order stays.
func (h *Handler) send(ctx context.Context, b outbox.Batch) (done, lost int, err error) {
	left := maxPieces
	var why error
	for todo := []outbox.Batch{b}; len(todo) > 0; {
		piece := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		left--
		status, err := h.post(ctx, piece)
		if err != nil && !errors.As(err, new(*check.PermanentError)) {
			return done, lost, errors.Join(err, why)
		}
		if n := piece.Len() / 2; err != nil && n > 0 && divides(status) && left > len(todo)+1 {
			todo = append(todo, piece.Slice(n, piece.Len()), piece.Slice(0, n))
			continue
		}
		if err != nil {
			lost, why = lost+piece.Values(), err
		}
		done += piece.Len()
	}
	return done, lost, why
}

// divides says whether a status may be about a part of the request.
func divides(status int) bool {
	return status == http.StatusBadRequest || status == http.StatusUnprocessableEntity || status == http.StatusRequestEntityTooLarge
}

// post makes one request.
func (h *Handler) post(ctx context.Context, b outbox.Batch) (status int, err error) {
	h.body = snappy.Encode(h.body[:cap(h.body)], b.Text())
	reply, err := h.client.Do(ctx, post.Request{URL: h.url, Type: "application/x-protobuf", Header: headers, Body: h.body})
	return reply.Status, err
}
