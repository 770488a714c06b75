package daemon

import (
	"runtime/debug"
	"strconv"
	"strings"
)

// memoryMax are the files that hold the memory limit of a container, for
// cgroups of version 2 and 1.
var memoryMax = [...]string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}

// collectAt is how much the heap may grow between two collections, percent.
// The heap of a daemon is a few MiB while each run leaves some KiB behind:
// with Go's own 100 the collector takes a tenth of the CPU of a busy worker.
const collectAt = 300

// paceCollector sets that. GOGC wins.
func paceCollector(lookup func(string) (string, bool)) {
	if _, ok := lookup("GOGC"); !ok {
		debug.SetGCPercent(collectAt)
	}
}

// limitMemory gives the garbage collector nine tenths of the container's
// memory, so that it works harder before the kernel kills the process.
// GOMEMLIMIT wins.
func limitMemory(lookup func(string) (string, bool), read func(string) ([]byte, error)) int64 {
	if _, ok := lookup("GOMEMLIMIT"); ok {
		return 0
	}
	for _, path := range memoryMax {
		data, err := read(path)
		if err != nil {
			continue
		}
		limit, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
		if err != nil || limit <= 0 || limit > 1<<50 { // "max", or version 1's huge number: no limit
			return 0
		}
		limit = limit / 10 * 9
		debug.SetMemoryLimit(limit)
		return limit
	}
	return 0
}
