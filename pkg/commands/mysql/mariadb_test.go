package mysql_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redpoll/redpoll/internal/peertest"
	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands/internal/sqlcheck/sqltest"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
	"github.com/redpoll/redpoll/pkg/commands/mysql"
)

func TestMariaDB(t *testing.T) {
	t.Parallel()
	db := peertest.StartMariaDB(t, `CREATE DATABASE shop;
USE shop;
CREATE TABLE orders (id INT PRIMARY KEY, late BOOL);
INSERT INTO orders SELECT seq, seq % 10 = 0 FROM seq_1_to_20000;
`)
	dir := t.TempDir()
	for name, text := range map[string]string{"db": db.Password, "wrong": "wrong", ".targets": "127.0.0.1"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	secrets, err := tools.OpenSecrets(dir)
	if err != nil {
		t.Fatal(err)
	}
	factory := check.Typed(mysql.Defaults(), mysql.New(tools.Tools{Secrets: secrets}))
	server := fmt.Sprintf(`"host":"127.0.0.1","port":%d,"user":"monitor"`, db.Port)
	at := server + `,"db":"shop","password":{"secret":"db"}`
	t.Run("grades", func(t *testing.T) { sqltest.Grades(t, factory, doc, at) })
	want := func(params string, state check.State, reason string) check.Result {
		t.Helper()
		return sqltest.Want(t, factory, doc, at, params, state, reason)
	}
	want(`{"query":"SELECT COUNT(*) FROM orders WHERE late","value":{"warn_max":1999}}`, check.StateWarn, "VALUE_OUT_OF_RANGE")
	res := want(`{"query":"SELECT id FROM orders"}`, check.StateOK, "")
	if m, _ := res.Metric("rows"); m.Value != 10000 || !strings.Contains(res.Text, "more than") {
		t.Errorf("rows = %v, %q, want 10000 and that there are more", m.Value, res.Text)
	}

	// It reads only, one statement, no files, no longer than it may.
	for _, query := range []string{
		"DELETE FROM orders", "DROP TABLE orders", "TRUNCATE orders", "SELECT 1; DROP TABLE orders", "CREATE TABLE t (i INT)",
		"GRANT ALL ON *.* TO x@y IDENTIFIED BY 'z'",
		"LOAD DATA LOCAL INFILE '/etc/hostname' INTO TABLE orders",
	} {
		want(fmt.Sprintf(`{"query":%q}`, query), check.StateCrit, "SQL_QRY_FAILURE")
	}
	want(`{"query":"SELECT COUNT(*) FROM orders","value":{"crit_min":20000,"crit_max":20000}}`, check.StateOK, "")
	begin := time.Now()
	want(`{"query":"SELECT SLEEP(20)","timeout":"2s"}`, check.StateCrit, "SQL_QRY_FAILURE")
	if took := time.Since(begin); took > 15*time.Second {
		t.Errorf("a query of 20 s that may take 2 s took %v", took)
	}
	want(`{"query":"SELECT VARIABLE_VALUE BETWEEN 1 AND 9 FROM information_schema.SESSION_VARIABLES WHERE VARIABLE_NAME='max_statement_time'","timeout":"9s","value":{"crit_min":1}}`, check.StateOK, "")

	// Logging in and TLS.
	sqltest.Want(t, factory, doc, server, `{"password":{"secret":"wrong"}}`, check.StateCrit, "SQL_QRY_FAILURE")
	sqltest.Want(t, factory, doc, server, `{"db":"nowhere","password":{"secret":"db"}}`, check.StateCrit, "SQL_QRY_FAILURE")
	cipher := `"query":"SELECT VARIABLE_VALUE <> '' FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME='Ssl_cipher'","value":{"crit_min":1}`
	want(`{`+cipher+`}`, check.StateCrit, "VALUE_OUT_OF_RANGE")
	want(fmt.Sprintf(`{"tls":true,"ca":%q,%s}`, db.Cert.PEM, cipher), check.StateOK, "")
	want(fmt.Sprintf(`{"tls":true,"verify_tls":false,%s}`, cipher), check.StateOK, "")
	want(`{"tls":true}`, check.StateCrit, "UNREACHABLE")

	cmd, err := factory([]byte(`{` + at + `,"query":"SELECT 42"}`))
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			if res, err := cmd.Run(t.Context(), check.Run{}); err != nil || res.State != check.StateOK {
				t.Errorf("Run = %v %v", res, err)
			}
		})
	}
	group.Wait()
}
