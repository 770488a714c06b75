package daemon

import (
	"runtime"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// version is set when a release is linked: -ldflags "-X .../daemon.version=v1.2.3".
var version string

// Version is the version of this build: the release's, the module's, or the
// commit's.
func Version() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	if r := revision(info); r != "unknown" {
		return r[:min(len(r), 12)]
	}
	return "devel"
}

// NewRegistry makes a registry of metrics that has the Go runtime, the process
// and redpoll_build_info in it already.
func NewRegistry() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "redpoll_build_info", Help: "Always 1: the labels say which build runs, of which version and commit, made with which Go.",
		ConstLabels: prometheus.Labels{"version": Version(), "revision": buildRevision(), "go": runtime.Version()},
	})
	build.Set(1)
	reg.MustRegister(build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return reg
}

func buildRevision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return revision(info)
}

func revision(info *debug.BuildInfo) string {
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return "unknown"
}
