package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// children are the processes of a round, stopped at its end.
type children struct {
	dir  string
	list []*exec.Cmd
}

func (c *children) stop() {
	for _, cmd := range c.list {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	if c.dir != "" {
		_ = os.RemoveAll(c.dir)
	}
}

func (c *children) start(path string, args ...string) error {
	cmd := exec.Command(path, args...)
	if err := cmd.Start(); err != nil {
		return err
	}
	c.list = append(c.list, cmd)
	return nil
}

// file makes a file, in a folder of this round, and gives its path.
func (c *children) file(name, text string) (string, error) {
	if c.dir == "" {
		dir, err := os.MkdirTemp("", "redpoll-bench")
		if err != nil {
			return "", err
		}
		c.dir = dir
	}
	path := filepath.Join(c.dir, name)
	return path, os.WriteFile(path, []byte(text), 0o600)
}

// sink starts this program as the sink of a handler.
func (c *children) sink(kind string) (addr string, err error) {
	cmd := exec.Command(os.Args[0], "-sink", kind)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	c.list = append(c.list, cmd)
	line, err := bufio.NewReader(out).ReadString('\n')
	return string(bytes.TrimSpace([]byte(line))), err
}

// serveSink takes everything that a handler sends, and forgets it. It prints
// its address.
func serveSink(kind string) error {
	if kind == "statsd" {
		conn, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		fmt.Println(conn.LocalAddr())
		for buf := make([]byte, 64<<10); ; {
			if _, _, err := conn.ReadFrom(buf); err != nil {
				return err
			}
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	if kind != "rrdcached" {
		return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(http.StatusNoContent)
		}))
	}
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go takeUpdates(conn)
	}
}

// takeUpdates answers batches of updates.
func takeUpdates(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReaderSize(conn, 64<<10)
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return
		}
		switch string(line) {
		case "BATCH\n":
			fmt.Fprint(conn, "0 Go ahead.  End with dot '.' on its own line.\n")
		case ".\n":
			fmt.Fprint(conn, "0 errors\n")
		}
	}
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// await waits until ready gives no error.
func await(ready func() error) error {
	err := errors.New("no try")
	for range 3000 {
		if err = ready(); err == nil {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return err
}

// answers gives nil when a GET or POST is answered with 2xx.
func answers(do func() (*http.Response, error)) error {
	resp, err := do()
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return errors.New(resp.Status)
	}
	return nil
}

func rrdcached(c *children) (string, error) {
	addr, err := freeAddr()
	if err != nil {
		return "", err
	}
	pid, err := c.file("pid", "")
	if err != nil {
		return "", err
	}
	if err := os.Remove(pid); err != nil {
		return "", err
	}
	if err := c.start("rrdcached", "-g", "-l", addr, "-b", c.dir, "-B", "-R", "-p", pid); err != nil {
		return "", err
	}
	return addr, await(func() error {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

func prometheus(c *children) (string, error) {
	addr, err := freeAddr()
	if err != nil {
		return "", err
	}
	config, err := c.file("prometheus.yml", "global: {}\n")
	if err != nil {
		return "", err
	}
	err = c.start("prometheus", "--config.file="+config, "--storage.tsdb.path="+filepath.Join(c.dir, "data"),
		"--web.listen-address="+addr, "--web.enable-remote-write-receiver", "--log.level=error")
	if err != nil {
		return "", err
	}
	return addr, await(func() error {
		return answers(func() (*http.Response, error) { return http.Get("http://" + addr + "/-/ready") })
	})
}

func influxdb(c *children) (string, error) {
	addr, err := freeAddr()
	if err != nil {
		return "", err
	}
	backup, err := freeAddr()
	if err != nil {
		return "", err
	}
	config, err := c.file("influxdb.conf", "")
	if err != nil {
		return "", err
	}
	text := fmt.Sprintf("reporting-disabled = true\nbind-address = %q\n[meta]\ndir = %q\n[data]\ndir = %q\nwal-dir = %q\n[http]\nbind-address = %q\nlog-enabled = false\n",
		backup, c.dir+"/meta", c.dir+"/data", c.dir+"/wal", addr)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return "", err
	}
	if err := c.start("influxd", "run", "-config", config); err != nil {
		return "", err
	}
	return addr, await(func() error {
		return answers(func() (*http.Response, error) {
			return http.PostForm("http://"+addr+"/query", url.Values{"q": {"CREATE DATABASE redpoll"}})
		})
	})
}
