package otlp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

const (
	// maxQueued and maxBatch bound what waits and what one request holds;
	// pace is the least time between two requests: at most a thousand traces a
	// second, so that a fleet in trouble spends its CPU on something else.
	maxQueued = 2048
	maxBatch  = 256
	pace      = 250 * time.Millisecond
	// company is how long a trace waits for others.
	company = 2 * time.Second
	// callTimeout bounds one request, keepTrying all for one batch, endTime what
	// is left at the end.
	callTimeout = 10 * time.Second
	keepTrying  = time.Minute
	endTime     = time.Second
	maxAnswer   = 64 << 10
)

// Config says where traces go. URL must be one that Check lets pass.
type Config struct {
	URL string
	// Worker and Version tell who sends.
	Worker, Version string
	Log             *slog.Logger
	// Transport makes the requests; nil: an ordinary one without a proxy.
	Transport http.RoundTripper
}

// item is a run that was committed.
type item struct {
	ev        *check.Event
	committed int64
}

// Exporter sends traces. New makes one.
type Exporter struct {
	cfg           Config
	endpoint      string
	user          *url.Userinfo
	client        *http.Client
	queue         chan item
	sent, dropped atomic.Int64
	failing       bool // told already; the sender's alone
}

// Check says what is wrong with the address of a collector.
func Check(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return errors.New("want a URL such as http://127.0.0.1:4318")
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "", u.RawQuery != "", u.Fragment != "":
		return errors.New("want http://host:port or https://host:port, perhaps with a path")
	}
	return nil
}

// New makes an Exporter. Nothing is sent before Run.
func New(cfg Config) (*Exporter, error) {
	if err := Check(cfg.URL); err != nil {
		return nil, err
	}
	u, err := url.Parse(cfg.URL)
	if err != nil {
		return nil, err
	}
	e := &Exporter{cfg: cfg, queue: make(chan item, maxQueued), user: u.User}
	u.User = nil
	if !strings.HasSuffix(u.Path, "/v1/traces") {
		u.Path = strings.TrimSuffix(u.Path, "/") + "/v1/traces"
	}
	e.endpoint = u.String()
	if cfg.Transport == nil {
		cfg.Transport = &http.Transport{MaxIdleConns: 1, IdleConnTimeout: 30 * time.Second, ForceAttemptHTTP2: false, MaxResponseHeaderBytes: 64 << 10}
	}
	e.client = &http.Client{
		Transport: cfg.Transport, Timeout: callTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return e, nil
}

// Trace takes a run that was committed, unix ms on the clock of Redis. It does
// not wait: when the queue is full the run is dropped. The event must not be
// changed later.
func (e *Exporter) Trace(ev *check.Event, committed int64) {
	select {
	case e.queue <- item{ev, committed}:
	default:
		e.dropped.Add(1)
	}
}

// Counts tells how many traces were sent, and how many dropped: the queue was
// full, or the collector did not take them.
func (e *Exporter) Counts() (sent, dropped int64) { return e.sent.Load(), e.dropped.Load() }

// Run sends until ctx ends, and then for a moment what is left.
func (e *Exporter) Run(ctx context.Context) {
	for {
		batch := e.gather(ctx)
		if ctx.Err() != nil {
			e.flush(ctx, batch)
			return
		}
		begun := time.Now()
		if !e.deliver(ctx, batch) && ctx.Err() != nil {
			e.flush(ctx, batch)
			return
		}
		wait(ctx, pace-time.Since(begun))
	}
}

// gather takes the first trace that comes, and those that follow it soon.
func (e *Exporter) gather(ctx context.Context) []item {
	var batch []item
	select {
	case first := <-e.queue:
		batch = append(batch, first)
	case <-ctx.Done():
		return nil
	}
	timer := time.NewTimer(company)
	defer timer.Stop()
	for len(batch) < maxBatch {
		select {
		case next := <-e.queue:
			batch = append(batch, next)
		case <-timer.C:
			return batch
		case <-ctx.Done():
			return batch
		}
	}
	return batch
}

// flush sends what is left, as much as there is time for.
func (e *Exporter) flush(ctx context.Context, batch []item) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
	defer cancel()
	for ctx.Err() == nil {
		for len(batch) < maxBatch && len(e.queue) > 0 {
			batch = append(batch, <-e.queue)
		}
		if len(batch) == 0 {
			return
		}
		if _, err := e.post(ctx, batch); err != nil {
			break
		}
		batch = nil
	}
	e.dropped.Add(int64(len(batch) + len(e.queue)))
}

// deliver sends a batch, again while the collector is away. False: ctx ended
// first, and the batch is still there.
func (e *Exporter) deliver(ctx context.Context, batch []item) bool {
	begun := time.Now()
	for attempt := 0; ; attempt++ {
		again, err := e.post(ctx, batch)
		switch {
		case err == nil:
			e.tell(nil)
			return true
		case ctx.Err() != nil:
			return false
		}
		e.tell(err)
		pause := min(time.Second<<min(attempt, 5), 30*time.Second)
		pause = max(pause-rand.N(pause/4), again)
		if again < 0 || time.Since(begun)+pause > keepTrying {
			e.dropped.Add(int64(len(batch)))
			return true
		}
		if !wait(ctx, pause) {
			return false
		}
	}
}

// post sends a batch once. After an error again says how long the collector
// wants to be left alone; less than 0: it will not take this batch.
func (e *Exporter) post(ctx context.Context, batch []item) (again time.Duration, err error) {
	service := []attribute{text("service.name", "redpoll-worker"), text("service.instance.id", e.cfg.Worker), text("service.version", e.cfg.Version)}
	body, err := encode(service, e.cfg.Version, batch)
	if err != nil {
		return -1, err // cannot be: texts and numbers
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.endpoint, bytes.NewReader(body))
	if err != nil {
		return -1, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "redpoll/"+e.cfg.Version)
	if e.user != nil {
		password, _ := e.user.Password()
		req.SetBasicAuth(e.user.Username(), password)
	}
	resp, err := e.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer)) // what is cut off says nothing more
	if resp.StatusCode/100 == 2 {
		rejected := e.rejected(answer, len(batch))
		e.sent.Add(int64(len(batch) - rejected))
		e.dropped.Add(int64(rejected))
		return 0, nil
	}
	return retryAfter(resp), fmt.Errorf("the collector answers %s", resp.Status)
}

// rejected reads how many of the traces a collector did not take: it counts
// spans.
func (e *Exporter) rejected(answer []byte, traces int) int {
	var r struct {
		PartialSuccess struct {
			RejectedSpans json.Number `json:"rejectedSpans"`
		} `json:"partialSuccess"`
	}
	if json.Unmarshal(answer, &r) != nil {
		return 0
	}
	spans, _ := r.PartialSuccess.RejectedSpans.Int64()
	return min(int(max(min(spans, 1<<20), 0)+6)/7, traces)
}

// retryAfter says after what time a refused batch may be sent again; less than
// 0: never.
func retryAfter(resp *http.Response) time.Duration {
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
	default:
		return -1
	}
	seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(min(seconds, 3600)) * time.Second
}

// tell logs when sending begins to fail, and when it works again.
func (e *Exporter) tell(err error) {
	switch {
	case err != nil && !e.failing:
		e.cfg.Log.Warn("traces are not sent", "to", e.endpoint, "err", err)
	case err == nil && e.failing:
		e.cfg.Log.Info("traces are sent again", "to", e.endpoint, "dropped", e.dropped.Load())
	}
	e.failing = err != nil
}

// wait waits for d; false when ctx ended first.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(max(d, 0))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
