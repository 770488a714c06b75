package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// demoTargets are the servers that the demo checks.
type demoTargets struct {
	shopURL  string
	echoAddr string
	stop     func()
}

// The shop is down for a while in every round.
const (
	shopRound = 30 * time.Second
	shopFails = 6 * time.Second
	shopBack  = 11 * time.Second
)

// startTargets serves them on free loopback ports.
func startTargets(ctx context.Context) (*demoTargets, error) {
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("serve the demo's targets: %w", err)
	}
	echo, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		_ = web.Close()
		return nil, fmt.Errorf("serve the demo's targets: %w", err)
	}
	start := time.Now()
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if at := time.Since(start) % shopRound; at >= shopFails && at < shopBack {
				http.Error(w, "the shop is closed for a moment", http.StatusServiceUnavailable)
				return
			}
			_, _ = io.WriteString(w, "welcome\n") // the client may be gone
		}),
		ReadHeaderTimeout: 5 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := server.Serve(web); !errors.Is(err, http.ErrServerClosed) {
			return // the check will tell
		}
	})
	wg.Go(func() { serveEcho(&wg, echo) })
	return &demoTargets{
		shopURL: "http://" + web.Addr().String() + "/", echoAddr: echo.Addr().String(),
		stop: func() {
			_ = server.Close()
			_ = echo.Close()
			wg.Wait()
		},
	}, nil
}

// serveEcho sends back what comes, for a moment.
func serveEcho(wg *sync.WaitGroup, l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		wg.Go(func() {
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
			_, _ = io.Copy(conn, io.LimitReader(conn, 1<<10)) // the client may be gone
		})
	}
}
