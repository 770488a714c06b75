package peertest

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/redpoll/redpoll/internal/porttest"
)

// RRDCached is an rrdcached with files of its own.
type RRDCached struct {
	Unix, TCP string // addresses: unix:/path and host:port
	Files     string // the folder of its files
	Stop      func() // ends it; see Run

	dir string
}

// StartRRDCached starts Debian's rrdcached.
func StartRRDCached(t testing.TB) *RRDCached {
	t.Helper()
	dir := Dir(t)
	r := &RRDCached{
		Unix: "unix:" + filepath.Join(dir, "socket"), TCP: "127.0.0.1:" + strconv.Itoa(porttest.Free(t)),
		Files: filepath.Join(dir, "files"), dir: dir,
	}
	if err := os.Mkdir(r.Files, 0o755); err != nil {
		t.Fatal(err)
	}
	Give(t, r.Files)
	r.Run(t)
	return r
}

// Run starts it again after Stop, with the same files and addresses.
func (r *RRDCached) Run(t testing.TB) {
	t.Helper()
	r.Stop = Serve(t, Connects("tcp", r.TCP), r.dir, Program(t, "rrdcached", "rrdcached", "/usr/bin/rrdcached"),
		"-g", "-l", r.Unix, "-l", r.TCP, "-b", r.Files, "-B", "-R", "-p", filepath.Join(r.dir, "pid"))
}
