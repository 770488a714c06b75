package peertest

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/redpoll/redpoll/internal/porttest"
)

// Bind is a name server that answers for a few zones.
type Bind struct {
	Port    int // UDP and TCP, on 127.0.0.1
	TLSPort int
	Cert    Cert
}

// StartBind starts Debian's bind9 with zones, name to the lines of its file.
func StartBind(t testing.TB, zones map[string]string) Bind {
	t.Helper()
	path := Program(t, "bind9", "named", "/usr/sbin/named")
	dir := Dir(t)
	b := Bind{Port: porttest.Free(t), TLSPort: porttest.Free(t), Cert: NewCert(t, dir)}
	var conf strings.Builder
	fmt.Fprintf(&conf, `options {
	directory %q;
	listen-on port %d { 127.0.0.1; };
	listen-on port %d tls local { 127.0.0.1; };
	listen-on-v6 { none; };
	pid-file none; session-keyfile none; lock-file none;
	recursion no; dnssec-validation no; notify no; allow-transfer { none; };
	minimal-responses yes;
};
tls local { cert-file %q; key-file %q; };
controls { };
logging { category default { default_stderr; }; };
`, dir, b.Port, b.TLSPort, b.Cert.CertFile, b.Cert.KeyFile)
	for name, text := range zones {
		file := Write(t, dir, strings.ReplaceAll(name, "/", "_")+".zone", text)
		fmt.Fprintf(&conf, "zone %q { type primary; file %q; };\n", name, file)
	}
	Serve(t, Connects("tcp", "127.0.0.1:"+strconv.Itoa(b.TLSPort)), dir,
		path, "-f", "-n", "1", "-c", Write(t, dir, "named.conf", conf.String()))
	return b
}
