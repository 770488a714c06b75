package influx

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"net/http"
	"regexp"
	"strconv"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/handlers/internal/outbox"
	"github.com/redpoll/redpoll/pkg/handlers/internal/post"
)

// partial finds how many points InfluxDB did not write of a request that it
// wrote otherwise:
//
//	{"error":"partial write: field type conflict: ... dropped=1"}
var partial = regexp.MustCompile(`partial write: .*dropped=(\d+)`)

// send passes a batch on.
func (h *Handler) send(ctx context.Context, b outbox.Batch) (done, lost int, err error) {
	r := post.Request{URL: h.url, Type: "text/plain; charset=utf-8", Body: b.Text()}
	if h.Gzip {
		r.Body, r.Header = h.zip.compress(r.Body), http.Header{"Content-Encoding": {"gzip"}}
	}
	reply, err := h.client.Do(ctx, r)
	switch {
	case err == nil:
		return b.Len(), 0, nil
	case !errors.As(err, new(*check.PermanentError)):
		return 0, 0, err
	}
	if m := partial.FindSubmatch(reply.Body); m != nil {
		if n, err := strconv.Atoi(string(m[1])); err == nil {
			lost = max(n, 1)
		}
		return b.Len(), min(lost, b.Values()), err
	}
	return b.Len(), b.Values(), err
}

// zipper compresses bodies, one at a time. The zero value is ready.
type zipper struct {
	buf bytes.Buffer
	w   *gzip.Writer
}

// compress gives text compressed, until the next call.
func (z *zipper) compress(text []byte) []byte {
	z.buf.Reset()
	if z.w == nil {
		z.w, _ = gzip.NewWriterLevel(&z.buf, gzip.BestSpeed) // the level is a good one
	} else {
		z.w.Reset(&z.buf)
	}
	_, _ = z.w.Write(text) // a buffer takes everything
	_ = z.w.Close()
	return z.buf.Bytes()
}
