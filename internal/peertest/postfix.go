package peertest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/redpoll/redpoll/internal/porttest"
)

// Postfix is a mail server that takes no mail.
type Postfix struct {
	Port    int // with STARTTLS, on 127.0.0.1
	TLSPort int // TLS from the first byte
	Cert    Cert
}

// postfixMain is main.cf: everything in the directory %[1]s.
const postfixMain = `compatibility_level = 3.6
queue_directory = %[1]s/queue
data_directory = %[1]s/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
myhostname = mail.example.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
local_transport = error:no mail here
alias_maps =
local_recipient_maps =
smtpd_tls_cert_file = %[2]s
smtpd_tls_key_file = %[3]s
smtpd_tls_security_level = may
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
default_process_limit = 100
maillog_file = /dev/stdout
`

const postfixMaster = `127.0.0.1:%d inet n - n - - smtpd
127.0.0.1:%d inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
tlsmgr  unix - - n 1000? 1 tlsmgr
anvil   unix - - n - 1 anvil
proxymap unix - - n - - proxymap
rewrite unix - - n - - trivial-rewrite
cleanup unix n - n - 0 cleanup
qmgr    unix n - n 300 1 qmgr
pickup  unix n - n 60 1 pickup
bounce  unix - - n - 0 bounce
defer   unix - - n - 0 bounce
error   unix - - n - - error
postlog unix-dgram n - n - 1 postlogd
`

// StartPostfix starts Debian's postfix. Its master insists on being root:
// elsewhere it counts as missing.
func StartPostfix(t testing.TB) Postfix {
	t.Helper()
	path := Program(t, "postfix", "postfix", "/usr/sbin/postfix")
	if os.Geteuid() != 0 {
		missing(t, "postfix: it starts as root only")
	}
	dir := Dir(t)
	p := Postfix{Port: porttest.Free(t), TLSPort: porttest.Free(t), Cert: NewCert(t, dir)}
	// Postfix checks that nobody but root could have changed its settings, and
	// its own user must reach them.
	for _, sub := range []string{"", "queue", "data"} {
		full := filepath.Join(dir, sub)
		if err := os.MkdirAll(full, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(full, 0, 0); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(full, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range map[string]string{
		"main.cf":   fmt.Sprintf(postfixMain, dir, p.Cert.CertFile, p.Cert.KeyFile),
		"master.cf": fmt.Sprintf(postfixMaster, p.Port, p.TLSPort),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{p.Cert.CertFile, p.Cert.KeyFile} {
		if err := os.Chown(file, 0, 0); err != nil {
			t.Fatal(err)
		}
	}
	own := command(t.Context(), dir, "/bin/sh", "-c", `chown postfix data 2>&1`)
	own.SysProcAttr = &syscall.SysProcAttr{}
	if out, err := own.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	cmd := command(context.WithoutCancel(t.Context()), dir, path, "-c", dir, "start-fg")
	cmd.SysProcAttr.Credential = nil
	serve(t, Connects("tcp", "127.0.0.1:"+strconv.Itoa(p.TLSPort)), cmd)
	t.Cleanup(func() { // before serve's own: the master has left the group
		text, err := os.ReadFile(filepath.Join(dir, "queue/pid/master.pid"))
		if err != nil {
			t.Error(err)
			return
		}
		if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && pid > 1 {
			_ = syscall.Kill(-pid, syscall.SIGTERM)
		}
	})
	return p
}
