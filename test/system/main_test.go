package system

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

var (
	long  = flag.Bool("system.long", false, "make the phases of chaos ten times as long")
	slack = flag.Duration("system.slack", 3*time.Second, "what is added to every bound of time, for busy machines")
	race  = flag.Bool("system.race", false, "build the binaries with the race detector")
)

// together is how many scenarios run at once. They wait most of the time: more
// than there are cores.
const together = "5"

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if !chosen {
		if err := flag.Set("test.parallel", together); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	dir, err := os.MkdirTemp("", "redpoll")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	built.dir = dir
	return m.Run()
}

// built are the binaries, built when the first test needs one.
var built struct {
	dir  string
	once sync.Once
	err  error
}

// binary gives the path of a program of this project.
func binary(t testing.TB, name string) string {
	t.Helper()
	built.once.Do(func() {
		args := []string{"build", "-o", built.dir}
		if *race {
			args = append(args, "-race")
		}
		const module = "github.com/redpoll/redpoll/cmd/"
		cmd := exec.Command("go", append(args, module+"scheduler", module+"worker", module+"redpoll", "./testdata/noopworker")...)
		if out, err := cmd.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("go build: %w\n%s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return filepath.Join(built.dir, name)
}

// phase is how long a phase of chaos lasts.
func phase(d time.Duration) time.Duration {
	if *long {
		return 10 * d
	}
	return d
}

// pass lets time go by: for phases that last as long as they last, never for
// something to happen.
func pass(t testing.TB, d time.Duration) {
	t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
	}
}
