package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Process is what a daemon gets from the outside: tests hand in their own.
type Process struct {
	// Name is the program's name, for messages.
	Name string
	// Args are the arguments without the program's name.
	Args []string
	// LookupEnv reads the environment, as os.LookupEnv does.
	LookupEnv func(key string) (string, bool)
	Stdout    io.Writer
	Stderr    io.Writer
}

// Func is a daemon. Its context ends at the first signal; it then has its own
// grace to stop.
type Func func(ctx context.Context, p *Process) error

// Exit codes of a daemon.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// Main runs a daemon as this process and does not return.
func Main(name string, run Func) {
	paceCollector(os.LookupEnv)
	limitMemory(os.LookupEnv, os.ReadFile)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	p := &Process{Name: name, Args: os.Args[1:], LookupEnv: os.LookupEnv, Stdout: os.Stdout, Stderr: os.Stderr}
	os.Exit(Exec(context.Background(), p, run, signals))
}

// Exec runs a daemon until it returns or a second signal arrives, and gives
// the exit code. Main is Exec on the real process.
func Exec(ctx context.Context, p *Process, run Func, signals <-chan os.Signal) int {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- run(ctx, p) }()
	for stopping := false; ; {
		select {
		case err := <-done:
			return exitCode(p, err)
		case s := <-signals:
			if stopping {
				fmt.Fprintf(p.Stderr, "%s: %s again: ends at once\n", p.Name, s)
				return exitFailed
			}
			stopping = true
			cancel()
		}
	}
}

// exitCode reports err to the user and turns it into an exit code.
func exitCode(p *Process, err error) int {
	switch {
	case err == nil, errors.Is(err, ErrHelp):
		return exitOK
	case errors.As(err, new(*SettingsError)):
		fmt.Fprintf(p.Stderr, "%v\n%s -h lists the settings\n", err, p.Name)
		return exitUsage
	default:
		fmt.Fprintf(p.Stderr, "%s: %v\n", p.Name, err)
		return exitFailed
	}
}
