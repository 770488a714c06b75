package daemon

import (
	"os"
	"path"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
)

// hierarchy is one of the two forms of cgroups: where it is mounted, and the
// files of a group that bound its memory.
type hierarchy struct {
	mount string
	files []string
}

var (
	cgroup1 = hierarchy{"/sys/fs/cgroup/memory", []string{"memory.limit_in_bytes"}}
	// memory.high makes a process slow instead of killing it: no better.
	cgroup2 = hierarchy{"/sys/fs/cgroup", []string{"memory.max", "memory.high"}}
)

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

// limitMemory gives the garbage collector nine tenths of the memory that this
// process may use, so that it works harder before the kernel kills the process.
// GOMEMLIMIT wins.
func limitMemory(lookup func(string) (string, bool), read func(string) ([]byte, error)) int64 {
	if _, ok := lookup("GOMEMLIMIT"); ok {
		return 0
	}
	limit := memoryLimit(read)
	if limit > 0 {
		limit = limit / 10 * 9
		debug.SetMemoryLimit(limit)
	}
	return limit
}

// MemoryLimit is how much memory this process may use, bytes; 0: no bound.
func MemoryLimit() int64 { return memoryLimit(os.ReadFile) }

// memoryLimit finds the least bound of the process's cgroup and those above it;
// 0 when there is none. A container sees its own group as the root, by a mount
// or by a namespace: then its path from /proc leads nowhere and the root decides.
func memoryLimit(read func(string) ([]byte, error)) int64 {
	text, err := read("/proc/self/cgroup")
	if err != nil {
		text = []byte("0::/\n0:memory:/\n")
	}
	least := int64(0)
	for line := range strings.Lines(string(text)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		h := cgroup1
		if parts[1] == "" {
			h = cgroup2
		} else if !slices.Contains(strings.Split(parts[1], ","), "memory") {
			continue
		}
		if limit := h.limit(parts[2], read); limit > 0 && (least == 0 || limit < least) {
			least = limit
		}
	}
	return least
}

// limit is the least bound of a group and those above it; 0: none.
func (h hierarchy) limit(group string, read func(string) ([]byte, error)) int64 {
	least := int64(0)
	for dir := path.Clean("/" + group); ; dir = path.Dir(dir) {
		for _, file := range h.files {
			data, err := read(path.Join(h.mount, dir, file))
			if err != nil {
				continue
			}
			limit, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
			if err != nil || limit <= 0 || limit > 1<<50 { // "max", or version 1's huge number: no limit
				continue
			}
			if least == 0 || limit < least {
				least = limit
			}
		}
		if dir == "/" {
			return least
		}
	}
}
