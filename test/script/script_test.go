package script

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/redpoll/redpoll/internal/bintest"
	"github.com/redpoll/redpoll/internal/redistest"
	"github.com/redpoll/redpoll/internal/scripttest"
	"github.com/redpoll/redpoll/pkg/commands"
)

func TestMain(m *testing.M) { os.Exit(bintest.Main(m)) }

// TestEveryCommandHasItsScript: and there is none about anything else.
func TestEveryCommandHasItsScript(t *testing.T) {
	t.Parallel()
	known := commands.Builtin().Names()
	for _, name := range known {
		if _, err := os.Stat(name + ".txtar"); err != nil {
			t.Errorf("command %s has no script: %v", name, err)
		}
		if targets[name] == nil {
			t.Errorf("command %s has no target", name)
		}
	}
	for _, file := range scripts(t) {
		if name := strings.TrimSuffix(file, ".txtar"); !slices.Contains(known, name) {
			t.Errorf("%s is about a command that is not built in", file)
		}
	}
}

func scripts(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("scripts: %v, %v", files, err)
	}
	return files
}

// TestCommands runs the scripts, each with a redis-server and a target of its
// own. The target's port is $TARGET.
func TestCommands(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("redis-cli"); err != nil {
		if os.Getenv("REDPOLL_TEST_REDIS") == "required" {
			t.Fatal(err)
		}
		t.Skip("SKIPPED, NO COMMAND WAS TESTED: there is no redis-cli (apt-get install redis-tools)")
	}
	for _, file := range scripts(t) {
		name := strings.TrimSuffix(file, ".txtar")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			vars := targets[name](t, archive)
			server := redistest.Start(t)
			vars["REDPOLL_REDIS"], vars["REDPOLL_LISTEN"] = server.URL(), "127.0.0.1:0"
			vars["PORT"] = strconv.Itoa(server.Port)
			// Programs of a root worker run as nobody, who must reach them.
			vars["TMPDIR"] = ""
			testscript.Run(t, testscript.Params{
				Files: []string{file},
				Cmds:  scripttest.Commands(),
				Setup: func(env *testscript.Env) error {
					for k, v := range vars {
						env.Setenv(k, v)
					}
					return openFor(env.WorkDir)
				},
			})
		})
	}
}

// openFor lets everybody enter dir and its parent, which is the test's own too.
func openFor(dir string) error {
	for _, d := range []string{filepath.Dir(dir), dir} {
		if err := os.Chmod(d, 0o755); err != nil {
			return err
		}
	}
	return nil
}
