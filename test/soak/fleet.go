package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

// every is the interval of all checks.
const every = 5 * time.Second

// fleet is a Redis with daemons, all of them processes of ours.
type fleet struct {
	dir     string // binaries, logs
	port    int
	redis   *exec.Cmd
	client  *redis.Client
	procs   []*proc
	targets *targets
	rate    float64 // results a second that are to be expected
	// gone are the totals of daemons that were replaced.
	gone map[string]float64
}

// proc is a daemon.
type proc struct {
	name, url string
	args      []string
	cmd       *exec.Cmd
}

func startFleet(ctx context.Context, o options) (_ *fleet, err error) {
	f := &fleet{gone: map[string]float64{}}
	defer func() {
		if err != nil {
			f.stop()
		}
	}()
	if f.dir, err = os.MkdirTemp("", "redpoll-soak"); err != nil {
		return nil, err
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", f.dir, "./cmd/scheduler", "./cmd/worker", "./cmd/redpoll")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build: %w\n%s", err, out)
	}
	if f.targets, err = serveTargets(); err != nil {
		return nil, err
	}
	if err = f.startRedis(ctx); err != nil {
		return nil, err
	}
	if err = f.fill(ctx); err != nil {
		return nil, err
	}
	handlers := filepath.Join(f.dir, "handlers.yaml")
	text := fmt.Sprintf("- {name: metrics, type: statsd, addr: \"127.0.0.1:%d\", default: true}\n", f.targets.statsd)
	if err = os.WriteFile(handlers, []byte(text), 0o600); err != nil {
		return nil, err
	}
	for i := 1; i <= 2; i++ {
		for _, args := range [][]string{{"scheduler"}, {"worker", "-slots", "400", "-per-target", "300", "-handlers", handlers, "-trace-sample", "0.05"}} {
			if err = f.start(ctx, fmt.Sprint(args[0], i), args); err != nil {
				return nil, err
			}
		}
	}
	return f, f.add(ctx, o.checks)
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func (f *fleet) startRedis(ctx context.Context) (err error) {
	if f.port, err = freePort(); err != nil {
		return err
	}
	f.redis = exec.Command("redis-server", "--port", strconv.Itoa(f.port), "--bind", "127.0.0.1", "--save", "", "--dir", f.dir, "--logfile", "redis.log")
	if err := f.redis.Start(); err != nil {
		f.redis = nil
		return fmt.Errorf("redis-server: %w", err)
	}
	f.client = redis.NewClient(&redis.Options{Addr: f.addr(), DisableIdentity: true})
	return await(ctx, func() error { return f.client.Ping(ctx).Err() })
}

func (f *fleet) addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(f.port)) }

// await waits until cond gives no error, for 20 s at most.
func await(ctx context.Context, cond func() error) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(20 * time.Second)
	for {
		err := cond()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-limit:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// fill makes the bounded streams full from the beginning, so that what grows
// afterwards is a fault.
func (f *fleet) fill(ctx context.Context) error {
	// As long as those that the checks below leave.
	event := `{"state":"OK","text":"` + strings.Repeat("filler ", 68) + `","at":"2026-01-01T00:00:00Z","planned":1,"started":1,"finished":2,"worker":"filler","since":1,"previous":"OK","check":{"id":"filler","zone":"default","command":"http","every":"5s"}}`
	for stream, n := range map[string]int{"redpoll:{default:0}:results": 100_000, "redpoll:{default:0}:changes": 100_000, "redpoll:intake:log": 10_000} {
		for n > 0 {
			pipe := f.client.Pipeline()
			for range min(n, 5000) {
				pipe.XAdd(ctx, &redis.XAddArgs{Stream: stream, Values: []any{"event", event}})
			}
			if _, err := pipe.Exec(ctx); err != nil {
				return fmt.Errorf("fill %s: %w", stream, err)
			}
			n -= 5000
		}
	}
	return nil
}

// start starts a daemon and waits until it can work.
func (f *fleet) start(ctx context.Context, name string, args []string) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(f.dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	p := &proc{name: name, args: args, url: fmt.Sprintf("http://127.0.0.1:%d", port)}
	p.cmd = exec.Command(filepath.Join(f.dir, args[0]), append([]string{"-redis", "redis://" + f.addr(), "-listen", fmt.Sprintf("127.0.0.1:%d", port)}, args[1:]...)...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	f.procs = append(f.procs, p)
	return await(ctx, func() error {
		_, err := p.metrics(ctx)
		return err
	})
}

// replace stops a daemon in an orderly way and starts it anew.
func (f *fleet) replace(ctx context.Context, n int) error {
	i := n % len(f.procs)
	p := f.procs[i]
	page, err := p.metrics(ctx)
	if err != nil {
		return err
	}
	for what, metric := range totals {
		f.gone[what] += page[metric]
	}
	if err := p.end(); err != nil {
		return err
	}
	f.procs = append(f.procs[:i:i], f.procs[i+1:]...)
	return f.start(ctx, p.name, p.args)
}

// end stops a daemon with SIGTERM and demands that it ends well.
func (p *proc) end() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	return nil
}

// verify proves that no check is lost, and stops the daemons, which must end
// well.
func (f *fleet) verify(w io.Writer) error {
	out, err := exec.Command(filepath.Join(f.dir, "redpoll"), "verify", "--redis", "redis://"+f.addr()).CombinedOutput()
	fmt.Fprintf(w, "redpoll verify: %s", out)
	if err != nil {
		err = fmt.Errorf("redpoll verify: %w", err)
	}
	faults := []error{err}
	for _, p := range f.procs {
		faults = append(faults, p.end())
	}
	f.procs = nil
	return errors.Join(faults...)
}

// stop ends what still runs. Logs stay only after a failure of a daemon.
func (f *fleet) stop() {
	for _, p := range f.procs {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	}
	if f.client != nil {
		_ = f.client.Close()
	}
	if f.redis != nil {
		_ = f.redis.Process.Kill()
		_ = f.redis.Wait()
	}
	if f.targets != nil {
		f.targets.close()
	}
	_ = os.RemoveAll(f.dir)
}

// line is a request as redis-cli would send it.
func line(words string) []any {
	var values []any
	for word := range strings.FieldsSeq(words) {
		values = append(values, word)
	}
	return values
}

// add makes the checks: most answer, some are slow, flip or are silent.
func (f *fleet) add(ctx context.Context, checks int) error {
	pipe := f.client.Pipeline()
	for i := range checks {
		pipe.XAdd(ctx, &redis.XAddArgs{Stream: "redpoll:intake", Values: line(f.spec(i))})
	}
	_, err := pipe.Exec(ctx)
	f.rate = float64(checks) / every.Seconds()
	return err
}

// spec is the request for the i-th check.
func (f *fleet) spec(i int) string {
	common := fmt.Sprintf("id c%04d every %s first spread timeout 2s labels.site s%d ", i, every, i%7)
	switch {
	case i%50 == 0:
		return common + fmt.Sprintf("command tcp params.host 127.0.0.1 params.port %d params.expect x params.timeout 1500ms", f.targets.silent)
	case i%20 == 1:
		return common + fmt.Sprintf("command http params.url http://127.0.0.1:%d/flips", f.targets.http)
	case i%20 == 2:
		return common + fmt.Sprintf("command http params.url http://127.0.0.1:%d/slow", f.targets.http)
	case i%4 == 3:
		return common + fmt.Sprintf("command http params.url http://127.0.0.1:%d/fine", f.targets.http)
	}
	return common + fmt.Sprintf("command tcp params.host 127.0.0.1 params.port %d", f.targets.http)
}

// edit sends what operators send: always about the same few checks, so that
// nothing has a reason to grow.
func (f *fleet) edit(ctx context.Context, n int) error {
	for _, words := range []string{
		f.spec(3) + fmt.Sprintf(" labels.edit e%d", n%10), fmt.Sprintf("op %s id c0007", []string{"pause", "resume"}[n%2]), "op run id c0011",
		fmt.Sprintf("op %s id extra%d command tcp every 1m params.host 127.0.0.1 params.port %d", []string{"set", "delete"}[n/10%2], n%10, f.targets.http),
		"id junk command nonsense every 1s",
	} {
		if strings.HasPrefix(words, "op delete") {
			words = strings.Join(strings.Fields(words)[:4], " ")
		}
		if err := f.client.XAdd(ctx, &redis.XAddArgs{Stream: "redpoll:intake", Values: line(words)}).Err(); err != nil {
			return err
		}
	}
	return nil
}
