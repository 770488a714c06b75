// Package porttest finds ports for the servers that tests start.
package porttest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// Ports from first up to below beyond are given. The system chooses the ports of
// outgoing connections, and those of who listens on port 0, above them (RFC 6335
// from 49152 on, Linux from 32768 on).
const first, beyond = 12000, 32000

// Free is Take for a test, which fails where there is none.
func Free(t testing.TB) int {
	t.Helper()
	port, err := Take()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// Take gives a port of 127.0.0.1 that nobody listens on, neither over TCP nor
// over UDP. Until this process ends no Take gives it again, here or in another
// process of the same user: of two servers that are started on one port at the
// same time, the one that cannot listen would pass for running, since the other
// one answers in its place. Take may be called at any time.
func Take() (int, error) {
	dir := filepath.Join(os.TempDir(), "redpoll-ports-"+strconv.Itoa(os.Getuid()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	for range 1000 {
		port := first + rand.IntN(beyond-first)
		switch ours, err := reserve(filepath.Join(dir, strconv.Itoa(port))); {
		case err != nil:
			return 0, fmt.Errorf("find a free port: %w", err)
		case ours && unused(port):
			return port, nil
		}
	}
	return 0, fmt.Errorf("no port of 127.0.0.1 from %d to %d is free", first, beyond-1)
}

// reserve locks the file of a port, which is the lock of this process until it
// ends: the descriptor is never closed, and programs that it starts do not get it.
func reserve(file string) (ours bool, err error) {
	fd, err := syscall.Open(file, syscall.O_CREAT|syscall.O_RDWR|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return false, &os.PathError{Op: "open", Path: file, Err: err}
	}
	err = syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return true, nil
	}
	_ = syscall.Close(fd)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return false, &os.PathError{Op: "lock", Path: file, Err: err}
}

func unused(port int) bool {
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	l, err := net.Listen("tcp4", addr)
	if err != nil {
		return false
	}
	defer l.Close()
	c, err := net.ListenPacket("udp4", addr)
	if err != nil {
		return false
	}
	return c.Close() == nil
}
