package worker

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

var errAway = errors.New("connection refused")

// pass lets time pass in a synctest bubble, and all that happens meanwhile.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// command makes a factory of a function that is the command.
func command(f check.CommandFunc) check.CommandFactory {
	return func(json.RawMessage) (check.Command, error) { return f, nil }
}

func fine(context.Context, check.Run) (check.Result, error) {
	return check.Result{At: time.Now()}, nil
}

// lasts makes a command that takes d and obeys.
func lasts(d time.Duration) check.CommandFactory {
	return command(func(ctx context.Context, run check.Run) (check.Result, error) {
		select {
		case <-time.After(d):
			return fine(ctx, run)
		case <-ctx.Done():
			return check.Result{}, ctx.Err()
		}
	})
}

// deaf makes a command that takes d whatever its context says.
func deaf(d time.Duration) check.CommandFactory {
	return command(func(ctx context.Context, run check.Run) (check.Result, error) {
		<-time.After(d)
		return fine(ctx, run)
	})
}

// commands is what the tests' workers offer.
func commands() check.Commands {
	return check.Commands{
		"fine": command(fine), "second": lasts(time.Second), "s5": lasts(5 * time.Second), "s60": lasts(time.Minute),
		"deaf40": deaf(40 * time.Second),
		"crit": command(func(context.Context, check.Run) (check.Result, error) {
			return check.Result{State: check.StateCrit, Reason: "DOWN", Text: "it is down", At: time.Now()}, nil
		}),
		"fails":  command(func(context.Context, check.Run) (check.Result, error) { return check.Result{}, errors.New("no tool") }),
		"panics": command(func(context.Context, check.Run) (check.Result, error) { panic("canary") }),
		"picky":  func(json.RawMessage) (check.Command, error) { return nil, errors.New("host: want one") },
	}
}

// specOf makes a spec of a command; more are further fields.
func specOf(id, command, more string) string {
	return `{"id":"` + id + `","command":"` + command + `","every":"1m"` + more + `}`
}

// started is a worker that runs in the test's bubble.
type started struct {
	*Worker
	t      *testing.T
	cancel context.CancelFunc
	done   chan error
}

// start runs a worker on q.
func start(t *testing.T, q *fake, change func(*Config)) *started {
	t.Helper()
	cfg := Config{Queue: q, Commands: commands(), Name: "w1", Slots: 100, Grace: 10 * time.Second}
	if change != nil {
		change(&cfg)
	}
	w, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	s := &started{w, t, cancel, make(chan error, 1)}
	go func() { s.done <- w.Run(ctx) }()
	return s
}

// stop stops the worker and tells how long that took.
func (s *started) stop() time.Duration {
	s.t.Helper()
	begin := time.Now()
	s.cancel()
	if err := <-s.done; err != nil {
		s.t.Errorf("Run() = %v, want nil", err)
	}
	took := time.Since(begin)
	synctest.Wait()
	return took
}
