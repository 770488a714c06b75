package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

var errStopping = errors.New("stopping")

// closeTimeout is how long open requests may go on after the work ended.
const closeTimeout = time.Second

// Serve runs work and meanwhile serves -listen and -pprof, to the end of work
// and not only to that of ctx: metrics are wanted while a daemon drains. An
// address that cannot be used is an error before work begins.
func (c *Common) Serve(ctx context.Context, log *slog.Logger, reg *prometheus.Registry, h *Health, work func(ctx context.Context) error) error {
	var servers []*http.Server
	var listeners []net.Listener
	defer func() {
		for _, l := range listeners {
			l.Close()
		}
	}()
	for _, page := range []struct {
		name, addr string
		handler    http.Handler
	}{{"listen", *c.Listen, pages(reg, h)}, {"pprof", *c.Pprof, profiles()}} {
		if page.addr == "" {
			continue
		}
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", page.addr)
		if err != nil {
			return fmt.Errorf("-%s %s: %w", page.name, page.addr, err)
		}
		log.InfoContext(ctx, "listening", "for", page.name, "address", l.Addr().String())
		listeners = append(listeners, l)
		servers = append(servers, server(page.handler, log))
	}
	defer context.AfterFunc(ctx, func() { h.stopped.Store(true) })()
	var wg sync.WaitGroup
	for i, s := range servers {
		wg.Go(func() { serve(s, listeners[i], log) })
	}
	err := work(ctx)
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	for _, s := range servers {
		if s.Shutdown(stop) != nil {
			s.Close()
		}
	}
	wg.Wait()
	return err
}

func serve(s *http.Server, l net.Listener, log *slog.Logger) {
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		log.Error("metrics page ended", "address", l.Addr().String(), "err", err)
	}
}

// server has bounds for everything, so that a bad client cannot hold it.
func server(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      2 * time.Minute, // a CPU profile takes 30 s by default
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

func pages(reg *prometheus.Registry, h *Health) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{Registry: reg, MaxRequestsInFlight: 4}))
	mux.HandleFunc("GET /healthz", h.healthz)
	mux.HandleFunc("GET /readyz", h.readyz)
	return mux
}

func profiles() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}
