package proc

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// nobody is whom programs run as when the worker itself is root: the limit on
// processes binds everyone but root.
const nobody = 65534

// liveIn runs the program in dir on an operating system thread of its own,
// which is thrown away afterwards.
func (c *child) liveIn(dir string) error {
	root := os.Geteuid() == 0
	if root {
		if err := os.Chown(dir, nobody, nobody); err != nil {
			return err
		}
	}
	return onLostThread(func() error {
		if err := renounce(root); err != nil {
			return err
		}
		return c.start(dir)
	})
}

// onLostThread calls f on a thread that ends with it. The main thread is
// spared: it stands for the whole process in /proc.
func onLostThread(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			done <- onLostThread(f) // elsewhere for sure while this one is held
			runtime.UnlockOSThread()
			return
		}
		done <- f() // still locked: the thread ends with the goroutine
	}()
	return <-done
}

// renounce gives up what the thread may do; its children inherit that. The
// system calls are raw on purpose: package syscall's would change all threads.
func renounce(root bool) error {
	if root {
		if _, _, e := unix.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0); e != 0 {
			return fmt.Errorf("drop groups: %w", e)
		}
		if _, _, e := unix.RawSyscall(unix.SYS_SETRESGID, nobody, nobody, nobody); e != 0 {
			return fmt.Errorf("become group %d: %w", nobody, e)
		}
		if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, nobody, nobody, nobody); e != 0 {
			return fmt.Errorf("become user %d: %w", nobody, e)
		}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no-new-privs: %w", err)
	}
	return nil
}

// start runs the program to its end. It starts traced, that is stopped before
// its first instruction; the limits are set then, so it never runs without them.
func (c *child) start(dir string) error {
	cmd := c.command(dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setpgid:   true,
		Ptrace:    true,
		Pdeathsig: syscall.SIGKILL, // when the worker dies, so does the program
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	pid := cmd.Process.Pid
	if err := confine(pid, c.program.Limits); err != nil {
		killGroup(pid)
		return errors.Join(err, wait(cmd))
	}
	c.started(pid)
	err := await(pid)
	c.sweep()
	err = errors.Join(err, wait(cmd))
	reap(pid)
	c.state = cmd.ProcessState
	return err
}

// confine sets the limits of a traced child that is about to run, and lets it go.
func confine(pid int, l Limits) error {
	var ws unix.WaitStatus
	for {
		_, err := unix.Wait4(pid, &ws, 0, nil)
		if err == nil {
			break
		}
		if !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("wait for the traced start: %w", err)
		}
	}
	if !ws.Stopped() {
		return errors.New("ended before it was started")
	}
	cpu := uint64((or(l.CPU, DefaultCPU) + time.Second - 1) / time.Second)
	for _, s := range []struct {
		name  string
		which int
		value uint64
	}{
		{"cpu", unix.RLIMIT_CPU, cpu},
		{"memory", unix.RLIMIT_AS, or(l.Memory, DefaultMemory)},
		{"files", unix.RLIMIT_NOFILE, or(l.Files, DefaultFiles)},
		{"processes", unix.RLIMIT_NPROC, or(l.Processes, DefaultProcesses)},
		{"file size", unix.RLIMIT_FSIZE, maxFileSize},
		{"core", unix.RLIMIT_CORE, 0},
	} {
		if err := limit(pid, s.which, s.value); err != nil {
			return fmt.Errorf("limit of %s to %d: %w", s.name, s.value, err)
		}
	}
	if err := unix.PtraceDetach(pid); err != nil {
		return fmt.Errorf("release the traced start: %w", err)
	}
	return nil
}

// limit sets a limit, or the one that the worker itself has when that is lower.
func limit(pid, which int, value uint64) error {
	var old unix.Rlimit
	if err := unix.Prlimit(pid, which, nil, &old); err != nil {
		return err
	}
	value = min(value, old.Max)
	return unix.Prlimit(pid, which, &unix.Rlimit{Cur: value, Max: value}, nil)
}

func or[T time.Duration | uint64](value, otherwise T) T {
	if value == 0 {
		return otherwise
	}
	return value
}

// await returns when pid has exited, and leaves it to be reaped.
func await(pid int) error {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// wait reaps the program and takes the end of its output. How it ended is no
// error here, and neither is output that somebody else keeps open.
func wait(cmd *exec.Cmd) error {
	err := cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) || errors.Is(err, exec.ErrWaitDelay) {
		return nil
	}
	return err
}

// reap takes the rest of a killed group off the table of processes: as pid 1 of
// a container the worker inherits them. Elsewhere there is nothing to do. On a
// busy host they may take longer to be gone than a result should wait.
func reap(group int) {
	if !reapWithin(group, 50*time.Millisecond, time.Millisecond) {
		go reapWithin(group, time.Minute, 100*time.Millisecond)
	}
}

// reapWithin tries for a while, with pauses; it says whether none is left.
func reapWithin(group int, limit, pause time.Duration) bool {
	for end := time.Now().Add(limit); time.Now().Before(end); {
		pid, err := unix.Wait4(-group, nil, unix.WNOHANG, nil)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return true // no child of ours is left
		}
		if pid == 0 {
			time.Sleep(pause) // killed, but not gone yet
		}
	}
	return false
}

func killGroup(pid int) { _ = unix.Kill(-pid, unix.SIGKILL) } // gone already is as well
