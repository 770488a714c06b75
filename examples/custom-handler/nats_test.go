package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redpoll/redpoll/internal/peertest"
	"github.com/redpoll/redpoll/pkg/check"
)

// message is what was published.
type message struct{ subject, head, body string }

// server is a NATS server that keeps what is published.
type server struct {
	addr string

	mu    sync.Mutex // guards what follows
	got   []message
	conns int
	// fail says what becomes of the nth message, from 0: the answer instead of
	// taking it; hang up when that is empty.
	fail map[int]string
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{fail: map[int]string{}}
	s.addr = "127.0.0.1:" + strconv.Itoa(peertest.Accept(t, func(nc net.Conn) {
		s.mu.Lock()
		s.conns++
		s.mu.Unlock()
		fmt.Fprint(nc, `INFO {"server_id":"X","version":"2.9.10","proto":1,"headers":true,"max_payload":1048576}`+"\r\n")
		s.serve(nc, bufio.NewReader(nc))
	}))
	return s
}

func (s *server) serve(nc net.Conn, in *bufio.Reader) {
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		words := strings.Fields(line)
		switch words[0] {
		case "CONNECT":
			var options struct{ Headers bool }
			if json.Unmarshal([]byte(strings.TrimPrefix(strings.TrimSpace(line), "CONNECT ")), &options) != nil || !options.Headers {
				fmt.Fprint(nc, "-ERR 'Parser Error'\r\n")
			}
			fmt.Fprint(nc, "PING\r\n") // the client must answer some time
		case "PING":
			fmt.Fprint(nc, "PONG\r\n")
		case "HPUB":
			head, _ := strconv.Atoi(words[2])
			total, _ := strconv.Atoi(words[3])
			text := make([]byte, total+2)
			if _, err := io.ReadFull(in, text); err != nil {
				return
			}
			if answer, bad := s.take(message{words[1], string(text[:head]), string(text[head:total])}); bad && answer == "" {
				return
			} else if bad {
				fmt.Fprint(nc, answer)
			}
		case "PONG":
		default:
			fmt.Fprint(nc, "-ERR 'Unknown Protocol Operation'\r\n")
			return
		}
	}
}

func (s *server) take(m message) (answer string, bad bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	answer, bad = s.fail[len(s.got)]
	s.got = append(s.got, m)
	return answer, bad
}

// all gives what was published, and how many connections there were.
func (s *server) all() ([]message, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got, s.conns
}

func publisherTo(t *testing.T, addr string) *publisher {
	t.Helper()
	h, err := check.TypedHandler(settings{Subject: "redpoll"}, newPublisher)([]byte(`{"addr":"` + addr + `"}`))
	if err != nil {
		t.Fatal(err)
	}
	p := h.(*publisher)
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func change(planned int64) check.Delivery {
	return check.Delivery{Attempt: 1, Event: &check.Event{
		Check: check.EventCheck{ID: "web1", Zone: "fra"}, Result: check.Result{State: check.StateCrit, Text: "a\r\nPUB x 1"},
		Change: check.ChangeOpen, Planned: planned, Incident: &check.Incident{ID: "fra/web1/5"},
	}}
}

func TestPublish(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	p := publisherTo(t, s.addr)
	for i := range 3 {
		if ref, err := p.Deliver(t.Context(), change(int64(i))); err != nil || ref != "" {
			t.Fatalf("Deliver = %q, %v", ref, err)
		}
	}
	got, conns := s.all()
	if len(got) != 3 || conns != 1 || got[2].subject != "redpoll.fra.open" || got[2].head != "NATS/1.0\r\nNats-Msg-Id: fra/web1/5/open/2\r\n\r\n" {
		t.Fatalf("published %q over %d connections", got, conns)
	}
	var ev check.Event
	if err := json.Unmarshal([]byte(got[2].body), &ev); err != nil || ev.Check.ID != "web1" || ev.Text != "a\r\nPUB x 1" {
		t.Errorf("body %s, %v", got[2].body, err)
	}
}

// TestRefused: an error says that the change may not have arrived; the next
// attempt begins with a new connection.
func TestRefused(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.fail[0], s.fail[1] = "-ERR 'Permissions Violation for Publish to \"redpoll.fra.open\"'\r\n", ""
	p := publisherTo(t, s.addr)
	if _, err := p.Deliver(t.Context(), change(1)); err == nil || !strings.Contains(err.Error(), "Permissions Violation") {
		t.Errorf("Deliver = %v, want what the server says", err)
	}
	if _, err := p.Deliver(t.Context(), change(1)); err == nil {
		t.Error("Deliver = nil, want an error: the server hung up")
	}
	if _, err := p.Deliver(t.Context(), change(1)); err != nil {
		t.Errorf("Deliver = %v", err)
	}
	if got, conns := s.all(); len(got) != 3 || got[0] != got[2] || conns != 3 {
		t.Errorf("published %q over %d connections", got, conns)
	}
}

// TestSlow: a server that says nothing costs the context's time, no more.
func TestSlow(t *testing.T) {
	t.Parallel()
	port := peertest.Accept(t, func(nc net.Conn) { _, _ = io.Copy(io.Discard, nc) })
	p := publisherTo(t, "127.0.0.1:"+strconv.Itoa(port))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := p.Deliver(ctx, change(1)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Deliver = %v, want the end of its context", err)
	}
}

func TestBadSettings(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{`{}`: "addr: ", `{"addr":"x:1","subject":"a b"}`: "subject: ", `{"adr":"x:1"}`: "unknown field adr"} {
		if _, err := check.TypedHandler(settings{Subject: "redpoll"}, newPublisher)([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("settings %s = %v, want %q", text, err, want)
		}
	}
}
