// Command redpoll operates a redpoll fleet: it adds checks, shows their
// states, verifies the whole and, as redpoll demo, shows everything in one
// process. See internal/cli.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/redis/go-redis/v9/logging"

	"github.com/redpoll/redpoll/internal/cli"
	"github.com/redpoll/redpoll/internal/daemon"
)

func main() {
	logging.Disable() // every error comes back from its call as well
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal the next one ends the process at once.
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Main(ctx, os.Args[1:], cli.OS(daemon.Version())))
}
