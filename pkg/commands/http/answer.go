package http

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	nethttp "net/http"
	"strings"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands/internal/conn"
)

// body is what was read of an answer's body.
type body struct {
	text  []byte // unpacked, at most body_limit; nil when no rule looks at it
	whole bool   // text is all of it
	size  int64  // bytes on the wire, -1 when that is not known
	fault string // why text cannot be looked at
}

// answer reads the body and grades.
func (c *command) answer(ctx context.Context, begin time.Time, trace *conn.Trace, resp *nethttp.Response) (check.Result, error) {
	b, err := c.read(resp)
	if err != nil {
		return c.fail(ctx, begin, trace, fmt.Errorf("body: %w", err))
	}
	end := time.Now()
	took := end.Sub(begin)
	ms := append(trace.Metrics(make([]check.Metric, 0, 10), end),
		check.Seconds("resp_seconds", took), check.Gauge("status", float64(resp.StatusCode), ""))
	if b.size >= 0 {
		ms = append(ms, check.Gauge("size_bytes", float64(b.size), "bytes"))
	}
	var g check.Grade
	c.gradeHead(&g, resp)
	c.gradeBody(&g, b)
	if days, ok := conn.CertDays(resp.TLS, end); ok {
		ms = append(ms, check.Gauge("cert_days", days, "days"))
		conn.GradeCert(&g, days, c.CertWarnDays, c.CertCritDays)
	}
	conn.RespTime(&g, took, c.RespWarn, c.RespCrit)
	if g.State() == check.StateOK {
		g.Add(check.StateOK, "", fmt.Sprintf("%s %d %s in %v", resp.Proto, resp.StatusCode,
			nethttp.StatusText(resp.StatusCode), took.Round(time.Microsecond)))
	}
	return g.Result(begin, ms), nil
}

func (c *command) gradeHead(g *check.Grade, resp *nethttp.Response) {
	if code := resp.StatusCode; !c.Status.Has(code) {
		g.Add(check.StateCrit, reasonStatus, fmt.Sprintf("status %d %s, want %s", code, nethttp.StatusText(code), c.Status))
	}
	for _, rule := range c.headerMatch {
		got := resp.Header.Values(rule.name)
		found := false
		for _, v := range got {
			found = found || rule.match.MatchString(v)
		}
		if !found {
			g.Add(check.StateCrit, reasonHeader, fmt.Sprintf("header %s: %s does not match %q", rule.name, c.show(fmt.Sprintf("%.200q", strings.Join(got, ", "))), rule.match))
		}
	}
}

func (c *command) gradeBody(g *check.Grade, b body) {
	if !c.looks() {
		return
	}
	add := func(format string, args ...any) {
		g.Add(check.StateCrit, reasonBody, fmt.Sprintf(format, args...))
	}
	if b.fault != "" {
		add("%s", b.fault)
		return
	}
	if c.bodyMatch != nil && !c.bodyMatch.Match(b.text) {
		add("body does not match %q", c.bodyMatch)
	}
	if c.bodyNot != nil && c.bodyNot.Match(b.text) {
		add("body matches %q", c.bodyNot)
	}
	if len(c.JSON) == 0 {
		return
	}
	if !b.whole {
		add("body is longer than %d bytes, too long for expect_json", c.BodyLimit)
		return
	}
	var tree any
	if json.Unmarshal(b.text, &tree) != nil {
		add("body is no JSON")
		return
	}
	for _, rule := range c.JSON {
		if ok, found := rule.holds(tree); !ok {
			add("JSON: %s, want %q", c.show(fmt.Sprintf("%.200s", found)), rule.text)
		}
	}
}

// show gives what the target said, unless the target was told a secret: it
// might say that.
func (c *command) show(text string) string {
	if c.secret {
		return "the answer (not shown: the request has a secret)"
	}
	return text
}

// looks says whether a rule looks at the body.
func (c *command) looks() bool { return c.bodyMatch != nil || c.bodyNot != nil || len(c.JSON) > 0 }

// read reads the body, up to the limit on the wire and up to the limit
// unpacked. An error is the connection's.
func (c *command) read(resp *nethttp.Response) (body, error) {
	limit := int64(c.BodyLimit)
	b := body{size: resp.ContentLength}
	wire := &wire{r: io.LimitReader(resp.Body, limit+1)}
	if c.looks() {
		unpacked, err := unpack(wire, resp.Header.Get("Content-Encoding"))
		if err == nil {
			b.text, err = io.ReadAll(io.LimitReader(unpacked, limit+1))
		}
		b.whole = int64(len(b.text)) <= limit && wire.n <= limit
		if err != nil && wire.n <= limit {
			b.fault = "body cannot be unpacked"
		}
		b.text = b.text[:min(int64(len(b.text)), limit)]
	}
	// What no rule looks at is read too: its transfer is measured.
	if _, err := io.Copy(io.Discard, wire); err != nil {
		wire.err = err
	}
	if wire.err != nil {
		return b, wire.err
	}
	if wire.n <= limit {
		b.size = wire.n
	}
	return b, nil
}

// wire counts what is read and keeps the connection's error, to tell it from
// those of a bad compression.
type wire struct {
	r   io.Reader
	n   int64
	err error // nil after io.EOF
}

func (w *wire) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	w.n += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		w.err = err
	}
	return n, err
}

// unpack undoes a Content-Encoding.
func unpack(r io.Reader, encoding string) (io.Reader, error) {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "", "identity":
		return r, nil
	case "gzip", "x-gzip":
		return gzip.NewReader(r)
	case "deflate": // zlib by the RFC, bare by habit of some servers
		b := bufio.NewReader(r)
		head, err := b.Peek(2)
		if err == nil && head[0]&0x0f == 8 && (uint(head[0])<<8|uint(head[1]))%31 == 0 {
			return zlib.NewReader(b)
		}
		return flate.NewReader(b), nil
	}
	return nil, fmt.Errorf("content encoding %.32q is not known", encoding)
}
