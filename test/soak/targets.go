package main

import (
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// targets are what the checks ask: servers of this process.
type targets struct {
	http, silent, statsd int // ports
	flips                atomic.Int64
	closers              []io.Closer
}

func serveTargets() (*targets, error) {
	t := &targets{}
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	t.closers = append(t.closers, web)
	t.http = web.Addr().(*net.TCPAddr).Port
	mux := http.NewServeMux()
	mux.HandleFunc("/fine", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"temperature":21.5}`) })
	// One answer in sixty is no good: an incident opens, and resolves.
	mux.HandleFunc("/flips", func(w http.ResponseWriter, _ *http.Request) {
		if t.flips.Add(1)%60 == 0 {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(400 * time.Millisecond):
		case <-r.Context().Done():
		}
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(web) }() // ends when it is closed
	t.closers = append(t.closers, server)

	silent, err := net.Listen("tcp", "127.0.0.1:0") // whoever connects waits for a word in vain
	if err != nil {
		return nil, err
	}
	t.closers = append(t.closers, silent)
	t.silent = silent.Addr().(*net.TCPAddr).Port
	go func() {
		for {
			c, err := silent.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(io.Discard, c) // until the client goes
				c.Close()
			}()
		}
	}()

	sink, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	t.closers = append(t.closers, sink)
	t.statsd = sink.LocalAddr().(*net.UDPAddr).Port
	go func() {
		for b := make([]byte, 64<<10); ; {
			if _, _, err := sink.ReadFromUDP(b); err != nil {
				return
			}
		}
	}()
	return t, nil
}

func (t *targets) close() {
	for _, c := range t.closers {
		_ = c.Close()
	}
}
