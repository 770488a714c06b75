package test

import (
	"regexp"
	"strings"
	"testing"
)

// TestDepsInstallsWhatTestsAskFor: a package that a test names when it lacks
// its server is one that .ci/deps installs.
func TestDepsInstallsWhatTestsAskFor(t *testing.T) {
	t.Parallel()
	deps := read(t, ".ci/deps")
	named := regexp.MustCompile(`(?:Program\(\w+, "|apt-get install )([a-z0-9][a-z0-9.+-]+)`)
	found := map[string]string{}
	for _, file := range files(t, withSuffix(".go")) {
		for _, m := range named.FindAllStringSubmatch(read(t, file), -1) {
			found[m[1]] = file
		}
	}
	if len(found) < 5 {
		t.Fatalf("%d packages found: the test looks in the wrong place", len(found))
	}
	for pkg, file := range found {
		if !strings.Contains(deps, "\n\t\""+pkg+" ") {
			t.Errorf("%s wants the package %s, which .ci/deps does not install", file, pkg)
		}
	}
}
