package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// figures are what is taken of a daemon's metrics page, by the name in the
// samples.
var figures = map[string]string{
	"goroutines": "go_goroutines", "fds": "process_open_fds", "rss": "process_resident_memory_bytes", "heap": "go_memstats_heap_inuse_bytes",
}

// totals are counters of all daemons together.
var totals = map[string]string{
	"results": "redpoll_results_total", "missed": "redpoll_missed_slots_total", "stale": "redpoll_stale_completions_total", "repairs": "redpoll_repairs_total",
}

// sample reads everything that could grow.
func (f *fleet) sample(ctx context.Context) (map[string]float64, error) {
	row := map[string]float64{"rate": f.rate}
	for name, total := range f.gone {
		row[name] = total
	}
	for _, p := range f.procs {
		page, err := p.metrics(ctx)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
		for what, metric := range figures {
			row[p.name+" "+what] = page[metric]
		}
		for what, metric := range totals {
			row[what] += page[metric]
		}
	}
	rss, err := rssOf(f.redis.Process.Pid)
	if err != nil {
		return nil, err
	}
	row["redis rss"] = rss
	return row, f.sampleRedis(ctx, row)
}

func (f *fleet) sampleRedis(ctx context.Context, row map[string]float64) error {
	key := func(name string) string { return "redpoll:{default:0}:" + name }
	pipe := f.client.Pipeline()
	memory, clients := pipe.Info(ctx, "memory"), pipe.Info(ctx, "clients")
	sizes := map[string]*redis.IntCmd{
		"stream ready": pipe.XLen(ctx, key("ready")), "stream results": pipe.XLen(ctx, key("results")), "stream changes": pipe.XLen(ctx, key("changes")),
		"stream intake": pipe.XLen(ctx, "redpoll:intake"), "stream intake:log": pipe.XLen(ctx, "redpoll:intake:log"),
		"hash runs": pipe.HLen(ctx, key("runs")), "hash last": pipe.HLen(ctx, key("last")), "hash specs": pipe.HLen(ctx, key("specs")),
		"hash incidents": pipe.HLen(ctx, key("incidents")), "zset due": pipe.ZCard(ctx, key("due")), "hash workers": pipe.HLen(ctx, "redpoll:workers"),
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return fmt.Errorf("sample redis: %w", err)
	}
	for name, n := range sizes {
		row[name] = float64(n.Val())
	}
	row["redis used_memory"] = infoField(memory.Val(), "used_memory")
	row["redis clients"] = infoField(clients.Val(), "connected_clients")
	return nil
}

// infoField reads a number of INFO.
func infoField(text, name string) float64 {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+":"); ok {
			n, _ := strconv.ParseFloat(value, 64) // Redis writes numbers there
			return n
		}
	}
	return 0
}

// metrics reads a metrics page, each metric summed over its labels.
func (p *proc) metrics(ctx context.Context) (map[string]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return sums(resp.Body)
}

func sums(page io.Reader) (map[string]float64, error) {
	out := map[string]float64{}
	lines := bufio.NewScanner(page)
	for lines.Scan() {
		line := lines.Text()
		words := strings.Fields(line)
		if len(words) < 2 || line[0] == '#' {
			continue
		}
		name, _, _ := strings.Cut(words[0], "{")
		v, err := strconv.ParseFloat(words[len(words)-1], 64)
		if err != nil {
			return nil, fmt.Errorf("metric %s: %w", name, err)
		}
		out[name] += v
	}
	return out, lines.Err()
}

// rssOf is the resident memory of a process, bytes.
func rssOf(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); len(words) == 3 && words[0] == "VmRSS:" {
			kib, err := strconv.ParseFloat(words[1], 64)
			return kib * 1024, err
		}
	}
	return 0, fmt.Errorf("process %d has no VmRSS", pid)
}
