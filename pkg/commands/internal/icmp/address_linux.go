//go:build !portable

package icmp

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// destination is an address as the kernel takes it, and the options of the
// packets that go there.
type destination struct {
	name    [unix.SizeofSockaddrInet6]byte
	length  uint32
	control []byte
}

func (d *destination) set(q Request) error {
	if q.Addr.Is4() {
		a := q.Addr.As4()
		binary.NativeEndian.PutUint16(d.name[0:], unix.AF_INET)
		copy(d.name[4:], a[:])
		d.length = unix.SizeofSockaddrInet4
	} else {
		a := q.Addr.As16()
		binary.NativeEndian.PutUint16(d.name[0:], unix.AF_INET6)
		copy(d.name[8:], a[:])
		scope, err := scopeID(q.Addr.Zone())
		if err != nil {
			return err
		}
		binary.NativeEndian.PutUint32(d.name[24:], scope)
		d.length = unix.SizeofSockaddrInet6
	}
	level, ttl, tos := unix.SOL_IP, unix.IP_TTL, unix.IP_TOS
	if q.Addr.Is6() {
		level, ttl, tos = unix.SOL_IPV6, unix.IPV6_HOPLIMIT, unix.IPV6_TCLASS
	}
	if q.TTL != 0 {
		d.control = appendControl(d.control, level, ttl, q.TTL)
	}
	if q.TOS != 0 {
		d.control = appendControl(d.control, level, tos, q.TOS)
	}
	return nil
}

func scopeID(zone string) (uint32, error) {
	if zone == "" {
		return 0, nil
	}
	if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(n), nil
	}
	i, err := net.InterfaceByName(zone)
	if err != nil {
		return 0, fmt.Errorf("zone %s: %w", zone, err)
	}
	return uint32(i.Index), nil
}

// addrOf reads a struct sockaddr, without the zone.
func addrOf(b []byte) netip.Addr {
	if len(b) >= unix.SizeofSockaddrInet4 {
		switch binary.NativeEndian.Uint16(b) {
		case unix.AF_INET:
			return netip.AddrFrom4([4]byte(b[4:8]))
		case unix.AF_INET6:
			if len(b) >= 24 {
				return netip.AddrFrom16([16]byte(b[8:24])).Unmap()
			}
		}
	}
	return netip.Addr{}
}

func appendControl(b []byte, level, typ, value int) []byte {
	start := len(b)
	b = append(b, make([]byte, unix.CmsgSpace(4))...)
	h := (*unix.Cmsghdr)(unsafe.Pointer(&b[start]))
	h.Level, h.Type = int32(level), int32(typ)
	h.SetLen(unix.CmsgLen(4))
	binary.NativeEndian.PutUint32(b[start+unix.CmsgLen(0):], uint32(value))
	return b
}
