package test

import (
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// module is the path of this module.
const module = "github.com/redpoll/redpoll"

// importRule says what the packages of a folder may import beside the standard
// library. An end of "/..." stands for everything below; own packages are
// named without the module.
type importRule struct {
	folder string
	ours   []string
	third  []string
}

// importRules: the first whose folder fits decides. CONTRIBUTING.md has the
// same table for people.
var importRules = []importRule{
	{"pkg/check", nil, nil},

	{"pkg/commands", []string{"pkg/check", "pkg/commands/..."}, nil},
	{"pkg/commands/internal/snmpclient", []string{"pkg/check", "pkg/commands/internal/tools"}, []string{"github.com/gosnmp/gosnmp"}},
	{"pkg/commands/internal/icmp", nil, []string{"golang.org/x/sys/unix", "golang.org/x/net/..."}},
	{"pkg/commands/internal/proc", nil, []string{"golang.org/x/sys/unix"}},
	{"pkg/commands/internal/plugins", []string{"internal/yamldepth", "pkg/check", "pkg/commands/internal/proc"}, []string{"github.com/goccy/go-yaml"}},
	{"pkg/commands/internal/...", []string{"pkg/check", "pkg/commands/internal/..."}, nil},
	{"pkg/commands/dns", []string{"pkg/check", "pkg/commands/internal/..."}, []string{"github.com/miekg/dns"}},
	{"pkg/commands/http", []string{"pkg/check", "pkg/commands/internal/..."}, []string{"golang.org/x/net/idna"}},
	{"pkg/commands/mysql", []string{"pkg/check", "pkg/commands/internal/..."}, []string{"github.com/go-sql-driver/mysql"}},
	{"pkg/commands/postgres", []string{"pkg/check", "pkg/commands/internal/..."}, []string{"github.com/jackc/pgx/v5/..."}},
	{"pkg/commands/...", []string{"pkg/check", "pkg/commands/internal/..."}, nil},

	{"pkg/handlers", []string{"pkg/check", "pkg/handlers/..."}, nil},
	{"pkg/handlers/internal/post", []string{"pkg/check", "pkg/handlers/internal/tools"}, []string{"golang.org/x/net/http/httpguts"}},
	{"pkg/handlers/remotewrite", []string{"pkg/check", "pkg/handlers/internal/..."}, []string{"github.com/klauspost/compress/snappy"}},
	{"pkg/handlers/internal/...", []string{"pkg/check", "pkg/handlers/internal/..."}, nil},
	{"pkg/handlers/...", []string{"pkg/check", "pkg/handlers/internal/..."}, nil},

	{"pkg/queue/redisqueue", []string{"pkg/check"}, []string{"github.com/redis/go-redis/v9/..."}},
	{"pkg/scheduler", []string{"pkg/check"}, []string{"golang.org/x/sync/..."}},
	{"pkg/worker", []string{"pkg/check"}, []string{"golang.org/x/sync/..."}},

	{"internal/sbom", nil, nil},
	{"internal/yamldepth", nil, nil},
	{"internal/daemon", []string{"internal/yamldepth", "pkg/check", "pkg/queue/redisqueue"}, []string{"github.com/prometheus/client_golang/...", "github.com/goccy/go-yaml/..."}},
	{"internal/otlp", []string{"pkg/check"}, nil},
	{
		"internal/cli",
		[]string{"internal/daemon", "internal/yamldepth", "pkg/check", "pkg/queue/redisqueue", "pkg/commands", "pkg/commands/ping", "pkg/handlers", "pkg/scheduler", "pkg/worker"},
		[]string{
			"github.com/spf13/cobra", "github.com/spf13/pflag", "github.com/goccy/go-yaml/...", "golang.org/x/term",
			"github.com/redis/go-redis/v9", "github.com/alicebob/miniredis/v2",
		},
	},

	{"cmd/...", []string{"internal/cli", "internal/daemon", "internal/otlp", "pkg/..."}, []string{"github.com/redis/go-redis/v9/...", "github.com/prometheus/client_golang/prometheus"}},
	{"examples/...", []string{"pkg/..."}, nil},
	{"test/...", []string{"pkg/...", "internal/..."}, []string{"github.com/redis/go-redis/v9"}},
}

// testOnly says whether a package is there for tests alone. Its name says so
// (redistest, checktest); only tests and its like import it.
func testOnly(folder string) bool {
	return strings.HasSuffix(folder, "test") && path.Base(folder) != "test" && folder != "pkg/commands/speedtest"
}

// testHelpers is the rule of those packages.
var testHelpers = importRule{
	folder: "a package for tests",
	ours:   []string{"pkg/...", "internal/..."},
	third: []string{
		"go.uber.org/goleak", "github.com/redis/go-redis/v9", "github.com/alicebob/miniredis/v2", "github.com/gosnmp/gosnmp",
		"golang.org/x/net/...", "golang.org/x/sys/unix", "github.com/prometheus/client_golang/prometheus/...", "github.com/rogpeppe/go-internal/testscript",
	},
}

// TestImports reads the imports of every file that is no test, so that the
// layers stay layers.
func TestImports(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	for _, file := range files(t, withSuffix(".go")) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		rule, ok := ruleOf(path.Dir(file))
		if !ok {
			t.Errorf("%s: no line of importRules is about its folder: add one", file)
			continue
		}
		used[rule.folder] = true
		for _, imp := range imports(t, file) {
			if why := rule.refuses(path.Dir(file), imp); why != "" {
				t.Errorf("%s imports %s: %s", file, imp, why)
			}
		}
	}
	for _, r := range importRules {
		if !used[r.folder] && !strings.HasSuffix(r.folder, "/...") {
			t.Errorf("importRules has a line about %s, where there is nothing", r.folder)
		}
	}
}

// TestRulesPackageIsPure: the tests of the rules need nothing either.
func TestRulesPackageIsPure(t *testing.T) {
	t.Parallel()
	for _, file := range files(t, withSuffix("_test.go")) {
		if path.Dir(file) != "pkg/check" {
			continue
		}
		for _, imp := range imports(t, file) {
			if strings.Contains(strings.Split(imp, "/")[0], ".") && imp != module+"/pkg/check" {
				t.Errorf("%s imports %s: want the standard library only", file, imp)
			}
		}
	}
}

// ruleOf finds the rule of a folder.
func ruleOf(folder string) (importRule, bool) {
	if testOnly(folder) {
		return testHelpers, true
	}
	for _, r := range importRules {
		if matches(r.folder, folder) {
			return r, true
		}
	}
	return importRule{}, false
}

// refuses says why a package of the folder may not import imp, "" if it may.
func (r importRule) refuses(folder, imp string) string {
	own, ours := strings.CutPrefix(imp, module+"/")
	switch {
	case !strings.Contains(strings.Split(imp, "/")[0], "."):
		return "" // the standard library
	case ours && testOnly(own) && !testOnly(folder):
		return "that package is for tests only"
	case ours && slices.ContainsFunc(r.ours, func(p string) bool { return matches(p, own) }):
		return ""
	case !ours && slices.ContainsFunc(r.third, func(p string) bool { return matches(p, imp) }):
		return ""
	}
	return "importRules does not let " + r.folder + " do that"
}

// matches says whether a path is the one of the pattern, or below it.
func matches(pattern, name string) bool {
	if base, below := strings.CutSuffix(pattern, "/..."); below {
		return name == base || strings.HasPrefix(name, base+"/")
	}
	return name == pattern
}

func imports(t *testing.T, file string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, file), nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, spec := range f.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, name)
	}
	return out
}
