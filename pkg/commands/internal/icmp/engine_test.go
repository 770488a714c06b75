package icmp

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"
)

func TestSmoke(t *testing.T) {
	for _, mode := range []Mode{ModeRaw, ModeDatagram} {
		for _, a := range []string{"127.0.0.1", "::1"} {
			e := NewEngine(Options{Mode: mode})
			for _, size := range []int{8, 64, 4000, 65507} {
				rep, err := e.Ping(t.Context(), Request{Addr: netip.MustParseAddr(a), Count: 5, Interval: 10 * time.Millisecond, Timeout: 300 * time.Millisecond, Size: size, TTL: 9, TOS: 8})
				fmt.Println(mode, a, size, rep, err)
			}
			fmt.Println(e.Stats(), e.count.stamped.Load(), e.count.odd.Load())
			e.Close()
		}
	}
}

func TestMany(t *testing.T) {
	for _, mode := range []Mode{ModeRaw, ModeDatagram} {
		e := NewEngine(Options{Mode: mode})
		var wg sync.WaitGroup
		start := time.Now()
		for i := range 10000 {
			wg.Go(func() {
				a := netip.AddrFrom4([4]byte{127, 1, byte(i >> 8), byte(i)})
				rep, err := e.Ping(t.Context(), Request{Addr: a, Count: 5, Interval: 100 * time.Millisecond, Timeout: 500 * time.Millisecond, Size: 64})
				if err != nil || len(rep.RTTs) != 5 {
					t.Errorf("%v %v %v", a, rep, err)
				}
			})
		}
		wg.Wait()
		fmt.Println(time.Since(start), e.Stats(), e.count.stamped.Load(), e.count.odd.Load())
		e.Close()
	}
}
