package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/redpoll/redpoll/internal/daemon"
	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands"
	"github.com/redpoll/redpoll/pkg/commands/ping"
	"github.com/redpoll/redpoll/pkg/handlers"
	"github.com/redpoll/redpoll/pkg/worker"
)

const (
	// filesPerSlot is what a check needs at most times: a connection, and one
	// for the name; filesBeside what a worker has open besides.
	filesPerSlot = 2
	filesBeside  = 64
	// leastMemory is below what a worker can do with.
	leastMemory = 64 << 20
)

// icmp tries the sockets that a ping needs one of. It speaks of this host:
// workers elsewhere have rights of their own.
func (d *doctor) icmp() {
	works, fixes := map[string][]string{}, map[string][]string{}
	for _, p := range ping.Permissions() {
		if p.Err == nil {
			works[p.Family] = append(works[p.Family], p.Kind)
			continue
		}
		fixes[p.Family] = append(fixes[p.Family], p.Fix)
	}
	for _, family := range []string{"IPv4", "IPv6"} {
		if list := works[family]; len(list) > 0 {
			d.ok("icmp", "ping works on this host over %s, by %s socket", family, strings.Join(list, " and "))
			continue
		}
		d.warn("icmp", advice{"checks with the command ping give UNKNOWN on a worker like this", strings.Join(fixes[family], "; or ")},
			"ping is not permitted on this host over %s (%s)", family, pingGroups())
	}
}

// pingGroups tells which groups may ping, and which are ours.
func pingGroups() string {
	text, err := os.ReadFile("/proc/sys/net/ipv4/ping_group_range")
	if err != nil {
		return "ping_group_range is not known here"
	}
	return fmt.Sprintf("ping_group_range is %s, our group %d", strings.Join(strings.Fields(string(text)), " "), os.Getgid())
}

// limits looks at what this host lets a process have.
func (d *doctor) limits() {
	slots, err := strconv.Atoi(d.app.Getenv("REDPOLL_SLOTS"))
	if err != nil || slots <= 0 {
		slots = worker.DefaultSlots
	}
	want := uint64(filesPerSlot*slots + filesBeside)
	if have, known := openFiles(); known && have < want {
		d.warn("files", advice{"checks give UNKNOWN when a worker has no file left to open", fmt.Sprintf("ulimit -n %d (LimitNOFILE= in systemd), or fewer -slots", want)},
			"a process may open %d files here, a worker with %d slots wants %d", have, slots, want)
	} else if known {
		d.ok("files", "a process may open %d files here, a worker with %d slots wants %d", have, slots, want)
	}
	switch limit := daemon.MemoryLimit(); {
	case d.app.Getenv("GOMEMLIMIT") != "":
		d.ok("host memory", "GOMEMLIMIT is %s", d.app.Getenv("GOMEMLIMIT"))
	case limit > 0 && limit < leastMemory:
		d.warn("host memory", advice{"the kernel kills a worker that needs more", "give it 64 MiB at least"}, "a process may have %d MiB here", limit>>20)
	case limit > 0:
		d.ok("host memory", "a process may have %d MiB here, of which daemons take nine tenths", limit>>20)
	}
}

// hostFiles are the files of a worker that doctor looks at.
type hostFiles struct{ handlers, plugins, secrets string }

func (h *hostFiles) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&h.handlers, "handlers", "", "handlers.yaml of a worker, a `FILE` to look at (REDPOLL_HANDLERS)")
	f.StringVar(&h.plugins, "plugins", "", "plugins.yaml of a worker, a `FILE` to look at (REDPOLL_PLUGINS)")
	f.StringVar(&h.secrets, "secrets", "", "`DIR` of a worker's secrets to look at (REDPOLL_SECRETS)")
}

// look looks at the files that flags and variables name.
func (h *hostFiles) look(d *doctor) {
	for _, f := range []struct {
		path     *string
		variable string
	}{{&h.handlers, "REDPOLL_HANDLERS"}, {&h.plugins, "REDPOLL_PLUGINS"}, {&h.secrets, "REDPOLL_SECRETS"}} {
		if *f.path == "" {
			*f.path = d.app.Getenv(f.variable)
		}
	}
	o := &d.app.opt
	for _, file := range []string{o.passwordFile, o.key} {
		if file != "" {
			d.private("credentials", file)
		}
	}
	var secrets *commands.Secrets
	if h.secrets != "" {
		secrets = d.secretFiles(h.secrets)
	}
	if h.plugins != "" {
		d.pluginsFile(h.plugins)
	}
	if h.handlers != "" {
		d.handlersFile(h.handlers, secrets)
	}
}

// private tells of a file that others of this host can read. What Kubernetes
// mounts is left alone: nobody else is in a container.
func (d *doctor) private(what, file string) bool {
	info, err := os.Stat(file)
	if err != nil {
		d.bad(what, advice{fix: "name a file that is there"}, "%s", errText(err))
		return false
	}
	if _, err := os.Lstat(filepath.Join(filepath.Dir(file), "..data")); err == nil {
		return true
	}
	if info.Mode().Perm()&0o004 != 0 && reachable(filepath.Dir(file)) {
		d.warn(what, advice{"whoever can log in to this host can read it", "chmod o-r " + file}, "%s can be read by everybody", file)
		return false
	}
	return true
}

// reachable tells that everybody may enter a directory.
func reachable(dir string) bool {
	dir, err := filepath.Abs(dir)
	for ; err == nil; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil || info.Mode().Perm()&0o001 == 0 {
			return false
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	return err == nil
}

func (d *doctor) secretFiles(dir string) *commands.Secrets {
	secrets, err := commands.OpenSecrets(dir)
	var entries []fs.DirEntry
	if err == nil {
		entries, err = os.ReadDir(dir)
	}
	if err != nil {
		d.bad("secrets", advice{"the worker does not start", "name a directory that this user can read"}, "%s", errText(err))
		return nil
	}
	there := func(name string) bool {
		_, err := os.Stat(filepath.Join(dir, name))
		return err == nil
	}
	n, fine := 0, true
	for _, e := range entries {
		name := e.Name()
		if strings.HasSuffix(name, check.SecretTargets) || !check.ValidSecretName(name) {
			continue
		}
		n++
		fine = d.private("secrets", filepath.Join(dir, name)) && fine
		if !there(name+check.SecretTargets) && !there(check.SecretTargets) {
			fine = false
			d.warn("secrets", advice{"it is sent nowhere: checks that use it give UNKNOWN", "write " + name + check.SecretTargets + ", a host a line"}, "%s has no list of targets", name)
		}
	}
	if fine {
		d.ok("secrets", "%s in %s, each with its targets", count(n, "secret"), dir)
	}
	return secrets
}

func (d *doctor) pluginsFile(file string) {
	if _, err := commands.OpenPlugins(file); err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			d.bad("plugins", advice{why: "the worker does not start"}, "%s", line)
		}
		return
	}
	if info, err := os.Stat(file); err == nil && info.Mode().Perm()&0o022 != 0 {
		d.bad("plugins", advice{"who writes it chooses which programs run here", "chmod go-w " + file}, "%s may be changed by others than its owner", file)
		return
	}
	d.ok("plugins", "%s can be used", file)
}

func (d *doctor) handlersFile(file string, secrets *commands.Secrets) {
	lent := handlers.Tools{}
	if secrets != nil {
		lent.Secrets = secrets
	}
	list, err := daemon.LoadHandlers(file, handlers.BuiltinWith(lent))
	var faults *daemon.HandlersError
	switch {
	case errors.As(err, &faults):
		for _, f := range faults.Faults {
			d.bad("handlers", advice{why: "the worker does not start"}, "%s", f)
		}
		return
	case err != nil:
		d.bad("handlers", advice{why: "the worker does not start"}, "%s", errText(err))
		return
	}
	for _, e := range list {
		if c, ok := e.Handler.(io.Closer); ok {
			_ = c.Close() // it was never used
		}
	}
	d.ok("handlers", "%s has %s", file, count(len(list), "handler"))
}
