package cli

import (
	"os"
	"strings"

	"golang.org/x/net/icmp"
)

// icmp tries the two kinds of sockets that a ping needs one of. It speaks of
// this host: workers elsewhere have rights of their own.
func (d *doctor) icmp() {
	var works []string
	var errs []string
	for _, kind := range []struct{ name, network string }{{"datagram", "udp4"}, {"raw", "ip4:icmp"}} {
		conn, err := icmp.ListenPacket(kind.network, "127.0.0.1")
		if err != nil {
			errs = append(errs, kind.name+": "+errText(err))
			continue
		}
		_ = conn.Close()
		works = append(works, kind.name)
	}
	if len(works) > 0 {
		d.ok("icmp", "ping works on this host by %s socket", strings.Join(works, " and "))
		return
	}
	group, err := os.ReadFile("/proc/sys/net/ipv4/ping_group_range")
	have := strings.Join(strings.Fields(string(group)), " ")
	if err != nil {
		have = "not known here"
	}
	d.warn("icmp", `sysctl -w net.ipv4.ping_group_range="0 65535", in Kubernetes as a sysctl of the pod; or the capability NET_RAW`,
		"ping is not permitted on this host (%s; ping_group_range is %s)", strings.Join(errs, "; "), have)
}
