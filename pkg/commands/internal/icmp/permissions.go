package icmp

import (
	"errors"
	"fmt"
)

// Permission says whether one kind of ICMP socket can be opened here.
type Permission struct {
	// Family is IPv4 or IPv6, Kind datagram or raw.
	Family, Kind string
	// Err is nil when the socket works.
	Err error
	// Fix says what to change when it does not.
	Fix string
}

// Fixes for the two kinds of sockets.
const (
	fixDatagram = `let the process's group into net.ipv4.ping_group_range (sysctl; in Kubernetes a safe sysctl of the pod: "0 65535")`
	fixRaw      = "give the process CAP_NET_RAW (root has it)"
)

// Permissions opens every kind of socket that an Engine can use, in the order
// in which it tries them, and closes them again.
func Permissions() []Permission {
	var list []Permission
	for _, v6 := range []bool{false, true} {
		for _, k := range []struct {
			mode      Mode
			name, fix string
		}{{ModeDatagram, "datagram", fixDatagram}, {ModeRaw, "raw", fixRaw}} {
			p := Permission{Family: familyName(v6), Kind: k.name}
			s, err := openKind(v6, k.mode == ModeRaw, &Options{Buffer: 1 << 16})
			if err == nil {
				err = s.close()
			}
			if err != nil {
				p.Err, p.Fix = err, k.fix
			}
			list = append(list, p)
		}
	}
	return list
}

func familyName(v6 bool) string {
	if v6 {
		return "IPv6"
	}
	return "IPv4"
}

// openError says what was tried and what would permit it.
func openError(v6 bool, datagram, raw error) error {
	var parts []error
	if datagram != nil {
		parts = append(parts, fmt.Errorf("datagram: %w: %s", datagram, fixDatagram))
	}
	if raw != nil {
		parts = append(parts, fmt.Errorf("raw: %w: %s", raw, fixRaw))
	}
	return fmt.Errorf("open ICMP socket for %s: %w", familyName(v6), errors.Join(parts...))
}
