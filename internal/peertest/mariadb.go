package peertest

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/redpoll/redpoll/internal/porttest"
)

// SQL is a data base server with the user monitor, whose password is Password.
type SQL struct {
	Port     int // on 127.0.0.1, with TLS for those who ask
	Password string
	Cert     Cert
}

// sqlPassword is what the user monitor logs in with.
const sqlPassword = "open-sesame-4711"

// StartMariaDB starts Debian's mariadb-server, which runs the statements of
// init when it starts.
func StartMariaDB(t testing.TB, init string) SQL {
	t.Helper()
	path := Program(t, "mariadb-server", "mariadbd", "/usr/sbin/mariadbd")
	install := Program(t, "mariadb-server", "mariadb-install-db")
	dir := Dir(t)
	s := SQL{Port: porttest.Free(t), Password: sqlPassword, Cert: NewCert(t, dir)}
	Run(t, dir, install, "--no-defaults", "--datadir="+dir+"/data", "--skip-test-db", "--auth-root-authentication-method=normal")
	users := fmt.Sprintf("CREATE USER monitor@'127.0.0.1' IDENTIFIED BY '%s';\nGRANT ALL ON *.* TO monitor@'127.0.0.1';\n", sqlPassword)
	Serve(t, greets("127.0.0.1:"+strconv.Itoa(s.Port)), dir, path, "--no-defaults",
		"--datadir="+dir+"/data", "--socket="+dir+"/socket", "--port="+strconv.Itoa(s.Port), "--bind-address=127.0.0.1",
		"--skip-name-resolve", "--local-infile=1", "--max-connections=200", "--innodb-buffer-pool-size=16M",
		"--ssl-cert="+s.Cert.CertFile, "--ssl-key="+s.Cert.KeyFile,
		"--init-file="+Write(t, dir, "init.sql", users+init))
	return s
}

// greets is a ready function for servers that speak first: a port may be open
// before anybody answers on it.
func greets(addr string) func(context.Context) error {
	return func(ctx context.Context) error {
		nc, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err != nil {
			return err
		}
		defer nc.Close()
		_ = nc.SetReadDeadline(time.Now().Add(5 * time.Second))
		_, err = nc.Read(make([]byte, 1))
		return err
	}
}
