//go:build linux

package proc

import (
	"context"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// workerEnv makes TestWorker a worker; its value is the file for the number of
// the program that it runs.
const workerEnv = "REDPOLL_PROC_WORKER"

// TestWorker is the worker that TestDeathOfTheWorker kills.
func TestWorker(t *testing.T) {
	file := os.Getenv(workerEnv)
	if file == "" {
		return
	}
	var r Runner
	_, err := r.Run(context.Background(), sh("echo $$ >"+file+".new; mv "+file+".new "+file+"; exec sleep 1000"))
	t.Fatalf("Run = %v, want to be killed before", err)
}

// A program does not outlive the worker, however that dies.
func TestDeathOfTheWorker(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "proc-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil { // #nosec G302: the program may be another user
		t.Fatal(err)
	}
	file := dir + "/pid"
	worker := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestWorker$")
	worker.Env = append(os.Environ(), workerEnv+"="+file)
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	pid := 0
	eventually(t, "the worker's program runs", func() bool {
		text, err := os.ReadFile(file)
		if err != nil {
			return false
		}
		pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
		return err == nil
	})
	if gone(pid) {
		t.Fatalf("the program %d ended by itself", pid)
	}
	_ = worker.Process.Kill()
	_ = worker.Wait()
	eventually(t, "the program is gone", func() bool { return gone(pid) })
}
