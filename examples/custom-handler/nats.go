package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// settings are those of the handler. In a worker with a handlers.yaml they are
// the keys of an entry: check.TypedHandler(settings{Subject: "redpoll"}, newPublisher).
type settings struct {
	Addr    string `json:"addr"`    // host:port of the NATS server
	Subject string `json:"subject"` // changes go to SUBJECT.ZONE.CHANGE
}

// publisher is a handler that publishes changes of incidents to a NATS server.
// It speaks as much of the protocol as that needs:
// https://docs.nats.io/reference/reference-protocols/nats-protocol
type publisher struct {
	check.StreamOnly // results of every run are none of its business
	settings

	mu   sync.Mutex // guards what follows: Deliver is called for many checks at once
	conn net.Conn   // nil: not connected
	in   *bufio.Reader
}

// newPublisher refuses what is wrong; it connects to nobody.
func newPublisher(s settings) (check.Handler, error) {
	if _, _, err := net.SplitHostPort(s.Addr); err != nil {
		return nil, &check.FieldError{Field: "addr", Msg: err.Error()}
	}
	if s.Subject == "" || strings.ContainsAny(s.Subject, " \t\r\n*>") {
		return nil, &check.FieldError{Field: "subject", Msg: fmt.Sprintf("%q is no subject", s.Subject)}
	}
	return &publisher{settings: s}, nil
}

// Deliver publishes one change. While it returns an error it is called again,
// with growing pauses, and later changes of the same check wait; so an error
// must mean that the change may not have arrived. A change may come twice: the
// header Nats-Msg-Id is the same then, and a JetStream drops the second one.
func (p *publisher) Deliver(ctx context.Context, d check.Delivery) (ref string, err error) {
	body, err := json.Marshal(d.Event)
	if err != nil {
		return "", check.Permanent(err) // no repetition mends that
	}
	ev := d.Event
	head := fmt.Sprintf("NATS/1.0\r\nNats-Msg-Id: %s/%s/%d\r\n\r\n", ev.Incident.ID, ev.Change, ev.Planned)
	var b bytes.Buffer
	fmt.Fprintf(&b, "HPUB %s.%s.%s %d %d\r\n", p.Subject, ev.Check.Zone, ev.Change, len(head), len(head)+len(body))
	b.WriteString(head)
	b.Write(body)
	b.WriteString("\r\n")

	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn == nil {
		if err := p.connect(ctx); err != nil {
			return "", fmt.Errorf("connect to %s: %w", p.Addr, err)
		}
	}
	if err := p.say(ctx, b.Bytes()); err != nil {
		p.hangUp() // the next attempt begins anew
		return "", fmt.Errorf("publish to %s: %w", p.Addr, err)
	}
	return "", nil
}

// connect opens the connection. Callers hold mu.
func (p *publisher) connect(ctx context.Context) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", p.Addr)
	if err != nil {
		return err
	}
	p.conn, p.in = conn, bufio.NewReaderSize(conn, 32<<10)
	err = p.say(ctx, []byte(`CONNECT {"verbose":false,"pedantic":false,"headers":true,"name":"redpoll","lang":"go","version":"1"}`+"\r\n"))
	if err != nil {
		p.hangUp()
	}
	return err
}

// say sends text and waits until the server has taken it: it answers a PING
// after all that came before. Callers hold mu.
func (p *publisher) say(ctx context.Context, text []byte) error {
	if err := p.conn.SetDeadline(time.Time{}); err != nil {
		return err
	}
	// The context has an end; a connection knows deadlines only.
	stop := context.AfterFunc(ctx, func() { _ = p.conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := p.conn.Write(append(text, "PING\r\n"...)); err != nil {
		return errors.Join(err, ctx.Err())
	}
	for {
		line, err := p.in.ReadSlice('\n')
		if err != nil {
			return errors.Join(err, ctx.Err())
		}
		switch word, rest, _ := strings.Cut(strings.TrimSpace(string(line)), " "); word {
		case "PONG":
			return nil
		case "PING":
			if _, err := p.conn.Write([]byte("PONG\r\n")); err != nil {
				return err
			}
		case "-ERR":
			return fmt.Errorf("the server says %.200q", rest)
		}
	}
}

func (p *publisher) hangUp() {
	_ = p.conn.Close()
	p.conn, p.in = nil, nil
}

// Close ends the connection; the worker's owner calls it at the end.
func (p *publisher) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn != nil {
		p.hangUp()
	}
	return nil
}
