//go:build image && linux

package deploy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The image without an engine, as root on Linux (make test-image): what the
// Dockerfile builds, in a root that holds what it copies and nothing else,
// read-only, as its user, with the environment of the manifests.

// image builds the image's root.
func image(t *testing.T) (dir string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("this needs root, for chroot and a mount namespace of its own")
	}
	list := stages(read(t, "deploy/Dockerfile"))
	build, final := list[0], list[1]
	source, dir := t.TempDir(), t.TempDir()
	for _, args := range build.all("COPY") {
		for _, name := range strings.Fields(args) {
			copyTree(t, filepath.Join(root, name), filepath.Join(source, name))
		}
	}
	out := filepath.Join(dir, "usr/local/bin") + "/"
	cmd := exec.CommandContext(t.Context(), "sh", "-c", strings.ReplaceAll(buildLine(build), "-o /out/", "-o "+out))
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "TARGETOS=linux", "TARGETARCH=", "VERSION=v0.0.0-image")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, text)
	}
	for _, args := range final.all("COPY") {
		if f := strings.Fields(args); f[0] == "--from=build" && f[1] != "/out/" {
			copyTree(t, f[1], filepath.Join(dir, f[2], filepath.Base(f[1])))
		}
	}
	for _, mount := range []string{"etc/redpoll", "run/secrets/redpoll/checks", "tmp", "proc"} {
		if err := os.MkdirAll(filepath.Join(dir, mount), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// copyTree copies a file or a folder, without what .dockerignore keeps out.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			if err == nil && d.Name() == "testdata" {
				return filepath.SkipDir
			}
			return err
		}
		if strings.HasSuffix(path, "_test.go") {
			return nil
		}
		rel, _ := filepath.Rel(from, path)
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		return os.WriteFile(target, text, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// output is what a process writes.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// container is a process in the image.
type container struct {
	t    *testing.T
	cmd  *exec.Cmd
	out  *output
	done chan error
}

// inside runs a program of the image as a container runtime does.
func inside(t *testing.T, dir string, env map[string]string, args ...string) *container {
	t.Helper()
	script := `mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && mount -t tmpfs -o size=64m,mode=1777 tmpfs "$0/tmp" &&
		exec env -i $ENVIRONMENT setpriv --no-new-privs chroot --userspec=65532:65532 --groups=65532 "$0" "$@"`
	c := &container{t: t, out: &output{}, done: make(chan error, 1)}
	c.cmd = exec.Command("unshare", append([]string{"--mount", "sh", "-c", script, dir}, args...)...)
	list := "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	for k, v := range env {
		list += " " + k + "=" + v
	}
	c.cmd.Env = append(os.Environ(), "ENVIRONMENT="+list)
	c.cmd.Stdout, c.cmd.Stderr = c.out, c.out
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { c.done <- c.cmd.Wait() }()
	t.Cleanup(func() { _ = c.cmd.Process.Kill() })
	return c
}

// until waits for something, at most for limit.
func until(t *testing.T, limit time.Duration, what string, try func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: %v", what, err)
		case <-tick.C:
		}
	}
}

var listens = regexp.MustCompile(`"for":"listen","address":"([^"]+)"`)

// asks gives a function that demands a status of the container's page.
func (c *container) asks(path string, want int) func() error {
	return func() error {
		m := listens.FindStringSubmatch(c.out.String())
		if m == nil {
			return fmt.Errorf("it does not listen:\n%s", c.out.String())
		}
		resp, err := http.Get("http://" + m[1] + path)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if text, _ := io.ReadAll(resp.Body); resp.StatusCode != want {
			return fmt.Errorf("%s is %d (%.100s), want %d\n%s", path, resp.StatusCode, text, want, c.out.String())
		}
		return nil
	}
}

// stops sends SIGTERM and waits for the end, at most for limit.
func (c *container) stops(limit time.Duration) time.Duration {
	c.t.Helper()
	start := time.Now()
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		c.t.Fatal(err)
	}
	select {
	case err := <-c.done:
		if err != nil {
			c.t.Errorf("it ended with %v:\n%s", err, c.out.String())
		}
	case <-time.After(limit):
		c.t.Errorf("it goes on %s after the stop:\n%s", limit, c.out.String())
	}
	return time.Since(start)
}

// startRedis starts a server of the test's own.
func startRedis(t *testing.T, port string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", t.TempDir())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	until(t, 10*time.Second, "redis", func() error {
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			conn.Close()
		}
		return err
	})
	return cmd
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// TestImage: the daemons start in the image, answer their probes, drain within
// the grace of their pod, and live through an outage of Redis that is longer
// than any probe waits.
func TestImage(t *testing.T) {
	dir, port := image(t), freePort(t)
	redis := startRedis(t, port)
	f, _ := decode(base, kustomize(t, base))
	start, limits := map[string]func() *container{}, map[string]time.Duration{}
	for _, p := range f.daemons() {
		env := variables(f, p.template.Spec.Containers[0])
		env["REDPOLL_REDIS"], env["REDPOLL_LISTEN"] = "redis://127.0.0.1:"+port+"/0", "127.0.0.1:0"
		if p.daemon == "worker" {
			env["REDPOLL_NAME"] = "redpoll-worker-0"
			text := f.config("redpoll-handlers-" + suffix(f)).Data["handlers.yaml"]
			if err := os.WriteFile(filepath.Join(dir, env["REDPOLL_HANDLERS"]), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		limits[p.daemon] = time.Duration(*p.template.Spec.TerminationGracePeriodSeconds) * time.Second
		start[p.daemon] = func() *container { return inside(t, dir, env, p.template.Spec.Containers[0].Command...) }
	}
	scheduler, worker := start["scheduler"](), start["worker"]()
	for _, c := range []*container{scheduler, worker} {
		until(t, 10*time.Second, "ready", c.asks("/readyz", 200))
		until(t, time.Second, "alive", c.asks("/healthz", 200))
		until(t, time.Second, "metrics", c.asks("/metrics", 200))
	}
	started, answer := slow(t)
	cli := func(args ...string) string {
		c := inside(t, dir, map[string]string{"REDPOLL_REDIS": "redis://127.0.0.1:" + port + "/0"}, append([]string{"redpoll"}, args...)...)
		if err := <-c.done; err != nil {
			t.Fatalf("redpoll %q: %v\n%s", args, err, c.out.String())
		}
		return c.out.String()
	}
	if v := cli("version"); !strings.Contains(v, "v0.0.0-image") {
		t.Errorf("redpoll version says %s", v)
	}
	cli("add", "slow", "http", "--every", "1h", "--timeout", "20s", "url="+answer.url, "timeout=19s")
	<-started
	go answer.after(2 * time.Second)
	t.Logf("worker with a run of 2 s: drained in %s", worker.stops(limits["worker"]).Round(time.Millisecond))
	if got := cli("results", "-n", "1"); !strings.Contains(got, "OK") {
		t.Errorf("the run that was drained left %s", got)
	}
	worker = start["worker"]()
	until(t, 10*time.Second, "ready again", worker.asks("/readyz", 200))
	outage(t, redis, []*container{scheduler, worker})
	redis = startRedis(t, port)
	for _, c := range []*container{scheduler, worker} {
		until(t, 15*time.Second, "ready after the outage", c.asks("/readyz", 200))
	}
	if err := redis.Process.Signal(syscall.SIGSTOP); err != nil { // accepts, and never answers
		t.Fatal(err)
	}
	until(t, 10*time.Second, "unready with a Redis that hangs", worker.asks("/readyz", 503))
	t.Logf("scheduler with a Redis that hangs: stopped in %s", scheduler.stops(limits["scheduler"]).Round(time.Millisecond))
	t.Logf("worker with a Redis that hangs: stopped in %s", worker.stops(limits["worker"]).Round(time.Millisecond))
}

// outage takes Redis away for longer than the loops may stand still.
func outage(t *testing.T, redis *exec.Cmd, list []*container) {
	t.Helper()
	_ = redis.Process.Kill()
	_ = redis.Wait()
	for _, c := range list {
		until(t, 10*time.Second, "unready without Redis", c.asks("/readyz", 503))
	}
	end := time.Now().Add(45 * time.Second)
	until(t, time.Minute, "outage", func() error {
		for _, c := range list {
			if err := c.asks("/healthz", 200)(); err != nil {
				t.Fatalf("a restart without need: %v", err)
			}
		}
		if time.Now().Before(end) {
			return errors.New("not over")
		}
		return nil
	})
}

// target answers a request when it is told to.
type slowTarget struct {
	url    string
	answer chan struct{}
}

func (s slowTarget) after(d time.Duration) {
	<-time.After(d)
	close(s.answer)
}

func slow(t *testing.T) (started chan struct{}, s slowTarget) {
	t.Helper()
	started, s.answer = make(chan struct{}, 10), make(chan struct{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started <- struct{}{}
		<-s.answer
	})}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { server.Close() })
	s.url = "http://" + l.Addr().String() + "/"
	return started, s
}

// suffix is the hash of the generated ConfigMap with the handlers.
func suffix(f *fleet) string {
	for _, c := range f.configs {
		if name, ok := strings.CutPrefix(c.Name, "redpoll-handlers-"); ok {
			return name
		}
	}
	return ""
}
