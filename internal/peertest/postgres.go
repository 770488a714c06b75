package peertest

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/redpoll/redpoll/internal/porttest"
)

// StartPostgres starts Debian's postgresql. The user monitor is an ordinary
// one, who may create tables in the data base shop; clear logs in with the
// same password, which the server wants in plain text.
func StartPostgres(t testing.TB) SQL {
	t.Helper()
	bin := filepath.Dir(Program(t, "postgresql", "/usr/lib/postgresql/*/bin/postgres"))
	dir := Dir(t)
	s := SQL{Port: porttest.Free(t), Password: sqlPassword, Cert: NewCert(t, dir)}
	data := filepath.Join(dir, "data")
	Run(t, dir, filepath.Join(bin, "initdb"), "-D", data, "-U", "admin", "-A", "trust", "-E", "UTF8", "--no-sync")
	Run(t, dir, "/bin/sh", "-c", fmt.Sprintf(`%s --single -D %s postgres <%s >/dev/null`,
		filepath.Join(bin, "postgres"), data, Write(t, dir, "init.sql", fmt.Sprintf(`CREATE USER monitor PASSWORD '%[1]s';
CREATE USER clear PASSWORD '%[1]s';
CREATE DATABASE shop OWNER monitor;
`, sqlPassword))))
	hba := Write(t, dir, "hba.conf", "host all clear 127.0.0.1/32 password\nhost all all 127.0.0.1/32 scram-sha-256\n")
	args := []string{"-D", data}
	for name, value := range map[string]string{
		"port": strconv.Itoa(s.Port), "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "hba_file": hba,
		"ssl": "on", "ssl_cert_file": s.Cert.CertFile, "ssl_key_file": s.Cert.KeyFile, "max_connections": "150",
		"shared_buffers": "16MB", "fsync": "off",
	} {
		args = append(args, "-c", name+"="+value)
	}
	// It listens before it takes anybody in.
	ready := func(ctx context.Context) error {
		return exec.CommandContext(ctx, filepath.Join(bin, "pg_isready"), "-q", "-h", "127.0.0.1", "-p", strconv.Itoa(s.Port)).Run()
	}
	Serve(t, ready, dir, filepath.Join(bin, "postgres"), args...)
	return s
}
