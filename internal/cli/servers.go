package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// demoPort is tried first, so that the lines in the README fit.
const demoPort = 7379

// embedded starts a Redis inside this process, on the port, or with port 0 on
// demoPort or a free one. Its clock is the real one: leases run out.
func embedded(port int) (m *miniredis.Miniredis, err error) {
	try := []int{port}
	if port == 0 {
		try = []int{demoPort, 0}
	}
	for _, p := range try {
		m = miniredis.NewMiniRedis()
		if err = m.StartAddr(net.JoinHostPort("127.0.0.1", strconv.Itoa(p))); err == nil {
			m.ClockTTL(true)
			return m, nil
		}
	}
	return nil, fmt.Errorf("start the embedded Redis: %w", err)
}

// redisServer starts redis-server as a child on a free loopback port, without
// persistence. stop ends it and removes its directory.
func redisServer(ctx context.Context) (url string, stop func(), err error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return "", nil, err
	}
	dir, err := os.MkdirTemp("", "redpoll-bench-")
	if err != nil {
		return "", nil, err
	}
	for range 3 { // somebody else may take the free port first
		if url, stop, err = startRedis(ctx, path, dir); err == nil {
			end := stop
			return url, func() { end(); _ = os.RemoveAll(dir) }, nil
		}
	}
	_ = os.RemoveAll(dir)
	return "", nil, err
}

func startRedis(ctx context.Context, path, dir string) (url string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	_ = l.Close()
	child := exec.Command(path, "--port", port, "--bind", "127.0.0.1", "--dir", dir, "--save", "", "--appendonly", "no")
	child.Stdout, child.Stderr = io.Discard, io.Discard
	if err := child.Start(); err != nil {
		return "", nil, err
	}
	ended := make(chan struct{})
	go func() {
		_ = child.Wait()
		close(ended)
	}()
	stop = func() {
		_ = child.Process.Kill()
		<-ended
	}
	url = "redis://127.0.0.1:" + port + "/0"
	client, err := redisqueue.Open(url, redisqueue.Security{})
	if err != nil {
		stop()
		return "", nil, err
	}
	defer client.Close()
	for range 200 { // 4 s
		if client.Ping(ctx).Err() == nil {
			return url, stop, nil
		}
		select {
		case <-ended:
			return "", nil, errors.New("redis-server ended at once")
		default:
		}
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			break
		}
	}
	stop()
	return "", nil, errors.New("redis-server does not answer")
}
