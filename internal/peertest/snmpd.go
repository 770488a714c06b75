package peertest

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/redpoll/redpoll/internal/porttest"
)

// StartSnmpd starts Debian's snmpd with a configuration of its own and gives
// its port on 127.0.0.1, UDP and TCP.
func StartSnmpd(t testing.TB, config string) (port int) {
	t.Helper()
	path := Program(t, "snmpd", "snmpd", "/usr/sbin/snmpd")
	dir := Dir(t)
	port = porttest.Free(t)
	Serve(t, Connects("tcp", "127.0.0.1:"+strconv.Itoa(port)), dir,
		"/usr/bin/env", "SNMP_PERSISTENT_DIR="+dir, "SNMPCONFPATH="+dir, "MIBS=",
		path, "-f", "-Lo", "-r", "-C", "-c", Write(t, dir, "test.conf", config),
		fmt.Sprintf("udp:127.0.0.1:%d", port), fmt.Sprintf("tcp:127.0.0.1:%d", port))
	return port
}
