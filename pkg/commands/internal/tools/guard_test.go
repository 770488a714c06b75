package tools

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
)

func TestGuardCheck(t *testing.T) {
	t.Parallel()
	own, err := NewGuard([]string{"127.0.0.0/8", " 10.1.2.3", "", "!169.254.7.0/24", "::ffff:192.0.2.0/120", "2001:db8::/32"})
	if err != nil {
		t.Fatal(err)
	}
	own.Protect(netip.MustParseAddrPort("192.168.0.9:6379"), netip.MustParseAddrPort("169.254.7.7:6379"))
	loop := &Guard{}
	loop.Protect(netip.MustParseAddrPort("127.0.0.1:6379"))
	for _, tt := range []struct {
		name  string
		guard *Guard
		addr  string
		deny  bool
	}{
		{"default metadata", nil, "169.254.169.254:80", true},
		{"default metadata mapped", nil, "[::ffff:169.254.169.254]:80", true},
		{"default metadata through NAT64", nil, "[64:ff9b::a9fe:a9fe]:80", true},
		{"default link-local with a zone", nil, "[fe80::1%eth0]:80", true},
		{"default AWS on IPv6", nil, "[fd00:ec2::254]:80", true},
		{"default neighbour of AWS", nil, "[fd00:ec2::255]:80", false},
		{"default Alibaba", nil, "100.100.100.200:80", true},
		{"default loopback", nil, "127.0.0.1:80", false},
		{"default private", nil, "10.0.0.1:80", false},
		{"own loopback", own, "127.9.9.9:80", true},
		{"own unspecified is loopback", own, "0.0.0.0:80", true},
		{"own single address", own, "10.1.2.3:80", true},
		{"own neighbour", own, "10.1.2.4:80", false},
		{"own mapped CIDR", own, "192.0.2.200:1", true},
		{"own IPv6", own, "[2001:db8::1]:1", true},
		{"own keeps the default", own, "169.254.169.254:80", true},
		{"own exception", own, "169.254.7.7:80", false},
		{"Redis", own, "192.168.0.9:6379", true},
		{"Redis in an exception", own, "169.254.7.7:6379", true},
		{"beside Redis", own, "192.168.0.9:6380", false},
		{"Redis on loopback by IPv6", loop, "[::1]:6379", true},
		{"Redis on loopback by unspecified", loop, "[::]:6379", true},
		{"Redis on loopback by another", loop, "127.0.0.2:6379", true},
		{"Redis on loopback, another port", loop, "127.0.0.1:6380", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := tt.guard.Check(netip.MustParseAddrPort(tt.addr))
			var denied *DeniedError
			if got := errors.As(err, &denied); got != tt.deny {
				t.Fatalf("Check(%s) = %v, want denied %v", tt.addr, err, tt.deny)
			}
		})
	}
}

func TestNewGuardFaults(t *testing.T) {
	t.Parallel()
	_, err := NewGuard([]string{"10.0.0.0/33", "fine.example", "10.0.0.0/8"})
	if err == nil || !strings.Contains(err.Error(), `"10.0.0.0/33"`) || !strings.Contains(err.Error(), `"fine.example"`) {
		t.Fatalf("NewGuard = %v, want both faults", err)
	}
}

func TestDialer(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	guard, err := NewGuard([]string{"127.0.0.0/8", "::1"})
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	for _, host := range []string{"127.0.0.1", "localhost", "0.0.0.0", "::ffff:127.0.0.1"} {
		addr := net.JoinHostPort(host, port)
		_, err := Tools{Guard: guard}.Dialer().DialContext(t.Context(), "tcp", addr)
		var denied *DeniedError
		if !errors.As(err, &denied) {
			t.Errorf("Dial(%s) = %v, want a DeniedError", addr, err)
		}
	}
	c, err := Tools{}.Dialer().DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatalf("Dial with default guard = %v", err)
	}
	c.Close()
	if _, err := (Tools{}).Dialer().DialContext(t.Context(), "unix", t.TempDir()+"/s"); err == nil || !strings.Contains(err.Error(), "no network address") {
		t.Errorf("Dial(unix) = %v, want it refused", err)
	}
}

func TestResolve(t *testing.T) {
	t.Parallel()
	guard, err := NewGuard([]string{"127.0.0.0/8", "::1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, network, host, want string
		guard                     *Guard
		denied                    bool
	}{
		{"literal", "ip", "192.0.2.1", "192.0.2.1", nil, false},
		{"mapped literal", "ip4", "::ffff:192.0.2.1", "192.0.2.1", nil, false},
		{"brackets", "ip6", "[2001:db8::1]", "2001:db8::1", nil, false},
		{"wrong family", "ip6", "192.0.2.1", "", nil, false},
		{"name", "ip4", "localhost", "127.0.0.1", nil, false},
		{"denied name", "ip", "localhost", "", guard, true},
		{"denied literal", "ip", "169.254.169.254", "", nil, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := Tools{Guard: tt.guard}.Resolve(context.Background(), tt.network, tt.host)
			var denied *DeniedError
			if errors.As(err, &denied) != tt.denied {
				t.Fatalf("Resolve(%s) = %v, want denied %v", tt.host, err, tt.denied)
			}
			if tt.want == "" && err == nil || tt.want != "" && got.String() != tt.want {
				t.Fatalf("Resolve(%s) = %v, %v, want %q", tt.host, got, err, tt.want)
			}
		})
	}
}
