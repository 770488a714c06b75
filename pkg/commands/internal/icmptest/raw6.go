//go:build linux

package icmptest

import (
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// sendRaw6 sends a packet with its IPv6 header.
func sendRaw6(packet []byte, dst net.IP) {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	if err == nil {
		defer unix.Close(fd)
		err = unix.Sendto(fd, packet, 0, &unix.SockaddrInet6{Addr: [16]byte(dst.To16())})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "icmptest: target:", err)
	}
}
