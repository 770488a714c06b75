package peertest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Tasks counts the threads, zombies too, of the user that servers and programs
// of a test run as: what RLIMIT_NPROC is compared with.
func Tasks(t testing.TB) int {
	t.Helper()
	user := os.Getuid()
	if user == 0 {
		user = nobody
	}
	files, err := filepath.Glob("/proc/[0-9]*/status")
	if err != nil || len(files) == 0 {
		t.Fatalf("no /proc: %v", err)
	}
	owner := fmt.Sprintf("\nUid:\t%d\t", user)
	tasks := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(text), owner) {
			continue // gone, or somebody else's
		}
		threads := 1
		if _, after, ok := strings.Cut(string(text), "\nThreads:"); ok {
			_, _ = fmt.Sscan(after, &threads)
		}
		tasks += threads
	}
	return tasks
}
