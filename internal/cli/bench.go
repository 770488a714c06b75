package cli

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// benchOptions are the flags of bench.
type benchOptions struct {
	checks   int
	duration time.Duration
	private  bool // a Redis of our own, whatever the settings say
	embedded bool
}

// benchReport is what bench measured.
type benchReport struct {
	Redis   string        `json:"redis"`
	CPUs    int           `json:"cpus"`
	Late    benchLateness `json:"lateness"`
	Cycles  benchCycles   `json:"cycles"`
	Version string        `json:"version"`
}

// benchLateness is how long after their planned time checks started.
type benchLateness struct {
	Checks int     `json:"checks"`
	Every  string  `json:"every"`
	Starts int     `json:"starts"`
	P50    float64 `json:"p50_ms"`
	P99    float64 `json:"p99_ms"`
	Max    float64 `json:"max_ms"`
	Early  int     `json:"early"`
}

// benchCycles is how many full cycles were reached with more due checks than
// can be run. CPU is per cycle; 0 where it could not be measured.
type benchCycles struct {
	Checks    int     `json:"checks"`
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"per_second"`
	RedisCPU  float64 `json:"redis_cpu_us"`
	OwnCPU    float64 `json:"redpoll_cpu_us"`
}

func (a *app) benchCmd() *cobra.Command {
	var o benchOptions
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure what this machine and its Redis can do",
		Long: strings.TrimSpace(`
Measure lateness and full cycles a second (due, queued, leased, run, committed,
due again) with a command that does nothing, one scheduler and one worker in
this process. Without --redis it starts a redis-server of its own on a loopback
port where that is installed, else it uses the embedded one, and says so.
With --redis it uses keys of its own, and removes them.`),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			given := cmd.Flags().Changed("redis") || a.Getenv("REDPOLL_REDIS")+a.Getenv("REDPOLL_REDIS_FILE") != ""
			o.private = o.private || !given
			return a.bench(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.checks, "checks", 0, "checks that are due at every second, for the cycles; 0: twice what can be run")
	f.DurationVar(&o.duration, "duration", 10*time.Second, "how long each of the two parts is measured")
	f.BoolVar(&o.private, "private", false, "a Redis of its own even where one is set")
	f.BoolVar(&o.embedded, "embedded", false, "the embedded Redis")
	return cmd
}

func (a *app) bench(ctx context.Context, o benchOptions) error {
	if o.checks < 0 || o.duration < time.Second {
		return usagef("bench wants no less than 0 checks and a second")
	}
	r := benchReport{CPUs: runtime.GOMAXPROCS(0), Version: a.Version}
	name, stop, err := a.benchRedis(ctx, o)
	if err != nil {
		return err
	}
	defer stop()
	r.Redis = name
	fmt.Fprintf(a.Stderr, "redpoll: measuring on %s, about %s\n", name, (2*o.duration + 15*time.Second).Round(time.Second))
	if err := a.benchLate(ctx, o, &r.Late); err != nil {
		return err
	}
	if err := a.benchFull(ctx, o, &r.Cycles); err != nil {
		return err
	}
	return a.printBench(r)
}

// benchRedis finds or starts the Redis to measure on and points the options at
// it.
func (a *app) benchRedis(ctx context.Context, o benchOptions) (name string, stop func(), err error) {
	if !o.private && !o.embedded {
		conn, err := a.connect(ctx)
		if err != nil {
			return "", nil, err
		}
		info, _ := conn.info(ctx) // only its version
		return "the given Redis " + info["redis_version"], func() {}, nil
	}
	if !o.embedded {
		url, stop, err := redisServer(ctx)
		if err == nil {
			a.opt.private(url)
			conn, err := a.connect(ctx)
			if err != nil {
				stop()
				return "", nil, err
			}
			info, _ := conn.info(ctx) // only its version
			return "redis-server " + info["redis_version"] + " of its own, without persistence", stop, nil
		}
		fmt.Fprintf(a.Stderr, "redpoll: no redis-server here (%v): measuring the embedded one, which is no Redis in speed\n", err)
	}
	m, err := embedded(0)
	if err != nil {
		return "", nil, err
	}
	a.opt.private("redis://" + m.Addr())
	return "the embedded Redis (not comparable)", m.Close, nil
}

// benchQueue is a connection with keys of its own, and what removes them.
func (a *app) benchQueue(ctx context.Context) (*connection, func(), error) {
	base, err := a.connect(ctx)
	if err != nil {
		return nil, nil, err
	}
	client := base.Client()
	conn := &connection{redisqueue.New(client, "redpoll-bench-"+strings.ToLower(rand.Text()[:8])), base.closer}
	return conn, func() {
		lane := check.Lane{Zone: check.DefaultZone}
		keys := []string{
			conn.KeyIntake(), conn.KeyIntakeLog(), conn.KeyIntakeLock(), conn.KeyZones(), conn.KeyWorkers(), conn.KeyMeta(),
			conn.KeySpecs(lane), conn.KeyDue(lane), conn.KeyReady(lane), conn.KeyRuns(lane), conn.KeyLast(lane),
			conn.KeyIncidents(lane), conn.KeyResults(lane), conn.KeyChanges(lane),
		}
		for _, key := range keys { // one by one: a cluster has them on several nodes
			if err := client.Unlink(context.WithoutCancel(ctx), key).Err(); err != nil {
				fmt.Fprintf(a.Stderr, "redpoll: remove %s: %v\n", key, err)
			}
		}
	}, nil
}

// benchFleet is one scheduler and one worker with a command that does nothing.
func (a *app) benchFleet(conn *connection, m *benchMetrics) *fleet {
	noop := func(json.RawMessage) (check.Command, error) {
		return check.CommandFunc(func(context.Context, check.Run) (check.Result, error) {
			return check.Result{At: time.Now()}, nil
		}), nil
	}
	return &fleet{
		conn: conn, zone: check.DefaultZone, workers: 1, lease: 30 * time.Second, slots: 1000, apart: isCluster(a.opt.redis),
		commands: check.Commands{"noop": noop},
		metrics:  m, version: a.Version, log: slog.New(slog.NewTextHandler(a.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
}

func (a *app) printBench(r benchReport) error {
	if a.opt.output != formatTable {
		return a.printer().value(r)
	}
	us := func(v float64) string {
		if v == 0 {
			return "not measured"
		}
		return fmt.Sprintf("%.1f us", v)
	}
	rows := [][]string{
		{"Redis", r.Redis},
		{"CPUs", fmt.Sprint(r.CPUs)},
		{"start lateness p50", fmt.Sprintf("%.1f ms", r.Late.P50)},
		{"start lateness p99", fmt.Sprintf("%.1f ms  (%d checks every %s, %d starts, worst %.1f ms, %d early)",
			r.Late.P99, r.Late.Checks, r.Late.Every, r.Late.Starts, r.Late.Max, r.Late.Early)},
		{"full cycles", fmt.Sprintf("%.0f checks/s  (%d checks, %.1f s)", r.Cycles.PerSecond, r.Cycles.Checks, r.Cycles.Seconds)},
		{"Redis CPU per cycle", us(r.Cycles.RedisCPU)},
		{"redpoll CPU per cycle", us(r.Cycles.OwnCPU)},
	}
	return a.printer().table([]string{"MEASURE", "VALUE"}, rows)
}
