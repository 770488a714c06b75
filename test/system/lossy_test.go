package system

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// lossy passes connections on to a server. Of what the server answers it loses
// a part: the connection ends, and nobody knows whether the request was done.
type lossy struct {
	addr string
	// one of how many answers is lost; 0: none.
	one  atomic.Int64
	lost atomic.Int64
}

func serveLossy(t testing.TB, server string) *lossy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &lossy{addr: l.Addr().String()}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.pass(c, server) // it ends with one of both ends
		}
	})
	t.Cleanup(func() {
		l.Close()
		wg.Wait()
	})
	return p
}

func (p *lossy) pass(client net.Conn, server string) {
	defer client.Close()
	up, err := net.Dial("tcp", server)
	if err != nil {
		return
	}
	defer up.Close()
	go func() {
		_, _ = io.Copy(up, client)
		up.Close()
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := up.Read(buf)
		if err != nil {
			return
		}
		if one := p.one.Load(); one > 0 && rand.N(one) == 0 {
			p.lost.Add(1)
			return
		}
		if _, err := client.Write(buf[:n]); err != nil {
			return
		}
	}
}

// Answers of Redis get lost, several in a row too. Every move is repeated until
// its answer is there, and made once: no check runs twice, none is lost, none
// counts as one that kills its worker.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	p := serveLossy(t, f.redis.Addr())
	for i, program := range []string{"scheduler", "scheduler", "worker", "worker"} {
		args := []string{binary(f, program), "-redis", "redis://" + p.addr + "/0", "-listen", "127.0.0.1:0"}
		name := fmt.Sprintf("%.1s%d", program, i%2+1)
		if program == "worker" {
			args = append(args, "-name", name, "-lease", lease.String())
		}
		f.enlist(start(f, name, args...))
	}
	f.ready(f.running("")...)
	f.target.holdAll(100 * time.Millisecond)
	f.add(150, time.Second, 2*time.Second)
	for range 5 {
		p.one.Store(20)
		pass(t, phase(1500*time.Millisecond))
		p.one.Store(2) // so that the client's own three tries are not enough
		pass(t, 300*time.Millisecond)
	}
	p.one.Store(0)
	t.Logf("%d answers were lost", p.lost.Load())
	f.finish(bounds{gap: 2 * recovery})
	f.noRepairs()
}
