package cli

import (
	"slices"
	"strconv"
	"strings"
)

// fixes are, for each series, the first version without some holes. A series
// that is not among them is older or newer than these.
type fixes struct{ redis, valkey []string }

var (
	// luaFixes are of October 2025: CVE-2025-49844, 46817, 46818, 46819.
	luaFixes = fixes{
		redis:  []string{"6.2.20", "7.2.11", "7.4.6", "8.0.4", "8.2.2"},
		valkey: []string{"7.2.11", "8.0.6", "8.1.4"},
	}
	// laterFixes are of May 2026: CVE-2026-23479, 25243, 23631.
	laterFixes = fixes{
		redis:  []string{"7.4.9", "8.2.6", "8.4.3", "8.6.3"},
		valkey: []string{"7.2.13", "8.0.8", "8.1.7", "9.0.4"},
	}
)

func (f fixes) of(valkey bool) []string {
	if valkey {
		return f.valkey
	}
	return f.redis
}

func (f fixes) String() string {
	return strings.Join(f.redis, ", ") + ", Valkey " + strings.Join(f.valkey, ", ")
}

// distributions tells how to look where numbers say nothing.
const distributions = "Distributions patch older numbers, which the server does not tell: look for the CVE in " +
	"'zgrep CVE- /usr/share/doc/redis-server/changelog.Debian.gz' (Debian 12 has CVE-2025-49844 from 5:7.0.15-1~deb12u6 on), 'rpm -q --changelog redis'"

func (d *doctor) version(of, redis, valkey string) {
	what, name, version := "version"+of, "Redis", redis
	if valkey != "" {
		name, version = "Valkey", valkey
	}
	switch {
	case version == "":
		d.skip(what, "make sure that it is 6.2 or newer", "the server does not tell its version")
	case compareVersions(version, "6.2") < 0:
		d.bad(what, advice{"commands that redpoll needs are missing", "upgrade Redis to 6.2.20 or newer"}, "%s %s is too old: redpoll needs 6.2", name, version)
	case !luaFixed(version, luaFixes.of(valkey != "")):
		d.warn(what, advice{
			"who may run EVAL can take the server over (CVE-2025-49844) or act as another user (CVE-2025-46818): ACL roles can be overcome",
			"upgrade to " + luaFixes.String() + " or newer. " + distributions,
		}, "%s %s has known holes in its scripting, unless your distribution patched it", name, version)
	case behind(version, laterFixes.of(valkey != "")):
		d.warn(what, advice{
			"who has a password may crash the server or take it over (CVE-2026-23479 by blocked reads, CVE-2026-25243 by RESTORE, CVE-2026-23631 on replicas)",
			"upgrade to " + laterFixes.String() + " or newer. " + distributions,
		}, "%s %s has known holes, unless your distribution patched it", name, version)
	default:
		d.ok(what, "%s %s", name, version)
	}
}

// luaFixed says whether a version is not older than the fix of its series. A
// series without one, between those that have it, was never fixed.
func luaFixed(version string, fixed []string) bool {
	if of := fixOf(version, fixed); of != "" {
		return compareVersions(version, of) >= 0
	}
	return compareVersions(version, fixed[len(fixed)-1]) > 0
}

// behind says whether a version is older than the fix of its series. Of series
// without a fix it says nothing.
func behind(version string, fixed []string) bool {
	of := fixOf(version, fixed)
	return of != "" && compareVersions(version, of) < 0
}

// fixOf gives the fix of a version's series, empty when there is none.
func fixOf(version string, fixed []string) string {
	series := func(v string) string {
		parts := strings.SplitN(v, ".", 3)
		return strings.Join(parts[:min(len(parts), 2)], ".")
	}
	if i := slices.IndexFunc(fixed, func(f string) bool { return series(f) == series(version) }); i >= 0 {
		return fixed[i]
	}
	return ""
}

// compareVersions compares dotted numbers; what is missing counts as 0.
func compareVersions(a, b string) int {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range max(len(as), len(bs)) {
		var x, y int
		if i < len(as) {
			x, _ = strconv.Atoi(as[i])
		}
		if i < len(bs) {
			y, _ = strconv.Atoi(bs[i])
		}
		if x != y {
			return x - y
		}
	}
	return 0
}
