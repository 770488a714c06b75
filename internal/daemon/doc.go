// Package daemon is what redpoll's two daemons share: settings from flags and
// environment, the log, the metrics page with its health answers, signals and
// exit codes.
//
// A daemon is a function from a context and a Process to an error:
//
//	func main() { daemon.Main("worker", run) }
//
//	func run(ctx context.Context, p *daemon.Process) error {
//		set := daemon.NewSettings(p, "runs the checks that are due")
//		common := daemon.NewCommon(set, ":9102")
//		slots := set.Int("slots", 1000, "checks", "how many checks run at once", daemon.AtLeast(1))
//		if err := set.Parse(); err != nil {
//			return err // every fault of the settings at once; exit code 2
//		}
//		log := common.Logger(p.Stderr)
//		reg := daemon.NewRegistry()
//		health := daemon.NewHealth(30*time.Second, pingRedis)
//		return common.Serve(ctx, log, reg, health, func(ctx context.Context) error {
//			... // calls health.Beat() at least every 30 s
//		})
//	}
//
// The context ends at the first SIGTERM or SIGINT; a second signal ends the
// process at once. Exit codes: 0 done, 1 failed, 2 wrong settings.
package daemon
