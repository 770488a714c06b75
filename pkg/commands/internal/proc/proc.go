// Package proc runs a program of the worker's own choice under tight limits:
// without a shell, an environment, standard input or new privileges, in an
// empty directory and a process group that is killed as a whole.
package proc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// What a program may use when its Limits say nothing.
const (
	DefaultCPU       = 30 * time.Second
	DefaultMemory    = 2 << 30 // of address space: interpreters reserve far more than they touch
	DefaultFiles     = 128
	DefaultProcesses = 4096 // the kernel counts all of the user, in other containers of the machine too
	DefaultOutput    = 64 << 10
	maxFileSize      = 64 << 20 // of any file that it writes
)

const (
	// settle is how long a killed program may take to be gone before Run
	// returns without it: a process inside a dead network file system cannot
	// be killed.
	settle = 50 * time.Millisecond
	// pipeWait is how long Run waits for the end of the output once the
	// program has exited: somebody who left the group may hold the pipe open. A
	// busy machine may need a while to read what is there.
	pipeWait = 2 * time.Second
	// patience is how long a killed program may take before it counts as stuck;
	// a busy machine may need a while. maxStuck is how many of those a Runner
	// tolerates before it starts no more.
	patience = 10 * time.Second
	maxStuck = 8
)

// ErrStuck says that earlier programs could not be killed and still hang, so
// that no more are started.
var ErrStuck = errors.New("too many earlier runs could not be killed")

// Limits bound one run. Zero fields mean the defaults above.
type Limits struct {
	CPU       time.Duration // of each process; rounded up to seconds
	Memory    uint64        // bytes of address space of each process
	Files     uint64        // open files of each process
	Processes uint64        // of the user in all, as the kernel counts them
	Output    int           // bytes of stdout and stderr together; the rest is drained
}

// Program is what to run: an absolute path and the exact arguments. Its whole
// environment is PATH and LANG.
type Program struct {
	Path   string
	Args   []string
	Limits Limits
	// Home adds HOME, the directory that it runs in, for programs that fall
	// over without.
	Home bool
}

// Output is what a program that ended left behind.
type Output struct {
	Stdout, Stderr []byte
	// Cut says that there was more output than Limits.Output.
	Cut bool
	// Code is the exit code, -1 when Signal ended the program.
	Code   int
	Signal syscall.Signal
	Took   time.Duration
}

// Runner runs programs. The zero value is ready; it is safe for concurrent use.
type Runner struct {
	stuck atomic.Int64 // programs that were killed long ago and are not gone yet
}

// Run runs p to its end. When ctx ends, the whole process group is killed and
// ctx's error comes back. Processes that the program leaves behind in its
// group are killed as well.
func (r *Runner) Run(ctx context.Context, p Program) (Output, error) {
	if err := ctx.Err(); err != nil {
		return Output{}, err
	}
	if r.stuck.Load() >= maxStuck {
		return Output{}, ErrStuck
	}
	c := &child{program: p, out: newCapture(p.Limits.Output), done: make(chan struct{}, 1)}
	start := time.Now()
	go c.live()
	select {
	case <-c.done:
		return c.output(time.Since(start)), c.err
	case <-ctx.Done():
	}
	c.kill()
	timer := time.NewTimer(settle)
	defer timer.Stop()
	select {
	case <-c.done:
	case <-timer.C:
		go r.watch(c)
	}
	return Output{}, ctx.Err()
}

// watch waits for the end of a killed program that Run has left behind.
func (r *Runner) watch(c *child) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-c.done:
	case <-timer.C:
		r.stuck.Add(1)
		<-c.done
		r.stuck.Add(-1)
	}
}

// child is one running program.
type child struct {
	program Program
	out     *capture
	done    chan struct{} // gets one value when all is over

	mu     sync.Mutex // guards pid and killed
	pid    int        // 0 while it may not be killed: not started yet or reaped
	killed bool

	// What became of it, to be read after done.
	err   error
	state *os.ProcessState
}

// live starts the program, waits for its end and cleans up.
func (c *child) live() {
	dir, err := os.MkdirTemp("", "redpoll-run-")
	if err == nil {
		err = c.liveIn(dir)
		err = errors.Join(err, os.RemoveAll(dir))
	}
	if err != nil {
		err = fmt.Errorf("run %s: %w", c.program.Path, err)
		if os.Geteuid() == 0 && errors.Is(err, fs.ErrPermission) {
			err = fmt.Errorf("%w (a worker that is root runs programs as user and group 65534)", err)
		}
	}
	c.err = err
	c.done <- struct{}{}
}

// command prepares the program; nothing of the worker's reaches it.
func (c *child) command(dir string) *exec.Cmd {
	cmd := exec.Command(c.program.Path, c.program.Args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C"}
	if c.program.Home {
		cmd.Env = append(cmd.Env, "HOME="+dir)
	}
	cmd.Stdout = writer{c.out, &c.out.stdout}
	cmd.Stderr = writer{c.out, &c.out.stderr}
	cmd.WaitDelay = pipeWait
	return cmd
}

// started notes the process, or kills it when the kill came first.
func (c *child) started(pid int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pid = pid
	if c.killed {
		killGroup(pid)
	}
}

// kill ends the group, now or as soon as it exists.
func (c *child) kill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.killed = true
	if c.pid != 0 {
		killGroup(c.pid)
	}
}

// sweep kills what is left of the group. It must come before the leader is
// reaped: until then nobody else can get its number.
func (c *child) sweep() {
	c.mu.Lock()
	defer c.mu.Unlock()
	killGroup(c.pid)
	c.pid = 0
}

// output is to be called after done.
func (c *child) output(took time.Duration) Output {
	o := Output{Took: took, Code: -1}
	o.Stdout, o.Stderr, o.Cut = c.out.taken()
	if c.state != nil {
		o.Code = c.state.ExitCode()
		if ws, ok := c.state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
			o.Signal = ws.Signal()
		}
	}
	return o
}
