package alertmanager

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/handlers/internal/post"
)

// maxPost is about how large a request becomes, bytes.
const maxPost = 1 << 20

// send posts alerts to all servers. It is done when one of them has taken them
// all: in a cluster each is asked, and those that were away get the alerts with
// the next round, or forget what they have when it expires.
func (h *Handler) send(ctx context.Context, alerts []alert) error {
	bodies, err := encode(alerts)
	if err != nil {
		return check.Permanent(err)
	}
	if len(bodies) == 0 {
		return nil
	}
	errs := make([]error, len(h.servers))
	var group sync.WaitGroup
	for i, u := range h.servers {
		group.Go(func() {
			for _, body := range bodies {
				if _, err := h.client.Do(ctx, post.Request{URL: u, Type: "application/json", Body: body}); err != nil {
					errs[i] = err
					return
				}
			}
		})
	}
	group.Wait()
	return h.verdict(errs)
}

// encode makes arrays of alerts, none much larger than maxPost.
func encode(alerts []alert) (bodies [][]byte, err error) {
	var b bytes.Buffer
	for i := range alerts {
		text, err := json.Marshal(&alerts[i])
		if err != nil {
			return nil, fmt.Errorf("encode an alert: %w", err)
		}
		if b.Len() > 0 && b.Len()+len(text) > maxPost {
			bodies = append(bodies, append(bytes.Clone(b.Bytes()), ']'))
			b.Reset()
		}
		if b.Len() == 0 {
			b.WriteByte('[')
		} else {
			b.WriteByte(',')
		}
		b.Write(text)
	}
	if b.Len() > 0 {
		bodies = append(bodies, append(b.Bytes(), ']'))
	}
	return bodies, nil
}

// verdict makes one error of those of the servers: none if one of them took
// the alerts, one that may pass if one of theirs may.
func (h *Handler) verdict(errs []error) error {
	var failed, passing error
	took := 0
	for _, err := range errs {
		switch {
		case err == nil:
			took++
		case failed == nil:
			failed = err
		}
		if err != nil && !errors.As(err, new(*check.PermanentError)) && passing == nil {
			passing = err
		}
	}
	switch {
	case failed == nil:
		return nil
	case took > 0:
		h.log.Warn("an alertmanager did not take alerts, others did", "took", took, "of", len(errs), "err", failed)
		return nil
	case passing != nil:
		return passing
	}
	return failed
}
