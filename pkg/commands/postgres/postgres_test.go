package postgres_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/redpoll/redpoll/internal/peertest"
	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/check/checktest"
	"github.com/redpoll/redpoll/pkg/commands/internal/sqlcheck/sqltest"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
	"github.com/redpoll/redpoll/pkg/commands/postgres"
)

const doc = "../../../docs/commands/postgres.md"

var factory = check.Typed(postgres.Defaults(), postgres.New(tools.Tools{}))

// withSecrets is a factory whose secrets "db" and "wrong" may be sent to targets.
func withSecrets(t *testing.T, password, targets string) check.CommandFactory {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"db": password, "wrong": "wrong", ".targets": targets} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	secrets, err := tools.OpenSecrets(dir)
	if err != nil {
		t.Fatal(err)
	}
	return check.Typed(postgres.Defaults(), postgres.New(tools.Tools{Secrets: secrets}))
}

func TestConformance(t *testing.T) {
	at := fake{}.start(t)
	hang := `"query":"` + sqltest.Hang + `"`
	checktest.Command(t, factory, checktest.Case{
		OK:   `{` + at + `}`,
		Hang: `{` + at + `,` + hang + `}`,
		More: []string{
			`{` + at + `,"query":"SELECT NULL","value":{"warn_max":1}}`, `{` + at + `,"query":"SELECT 42","value":{"warn_max":1}}`,
			`{` + at + `,"query":"nonsense"}`, `{` + at + `,"resp_crit":"1ns"}`, `{` + at + `,"timeout":"80ms",` + hang + `}`,
			`{"host":"127.0.0.1","port":1,"user":"u"}`, `{` + at + `,"tls":true}`,
		},
		Bad: sqltest.Bad(at), Doc: doc, Defaults: postgres.Defaults(),
	})
}

func TestGrades(t *testing.T) {
	t.Parallel()
	sqltest.Grades(t, factory, doc, fake{}.start(t))
}

func TestFailures(t *testing.T) {
	t.Parallel()
	at := fake{}.start(t)
	sqltest.Want(t, factory, doc, at, `{"timeout":"1s","query":"`+sqltest.Hang+`"}`, check.StateCrit, "SQL_QRY_FAILURE")
	sqltest.Want(t, factory, doc, at, `{"tls":true}`, check.StateCrit, "UNREACHABLE") // the fake has no TLS
	sqltest.Want(t, factory, doc, `"host":"127.0.0.1","port":1,"user":"u"`, `{}`, check.StateCrit, "UNREACHABLE")
	cmd, err := factory([]byte(`{"host":"169.254.169.254","user":"u"}`))
	if err != nil {
		t.Fatal(err)
	}
	if res, err := cmd.Run(t.Context(), check.Run{}); err == nil || !strings.Contains(err.Error(), "denied") {
		t.Errorf("Run = %v %v, want an error: the target is denied", res, err)
	}
}

func TestPasswordIsNotSentInPlainText(t *testing.T) {
	t.Parallel()
	const canary = "canary-0451"
	var mu sync.Mutex
	var heard []string
	at := fake{auth: &pgproto3.AuthenticationCleartextPassword{}, heard: func(m pgproto3.FrontendMessage) {
		mu.Lock()
		defer mu.Unlock()
		heard = append(heard, fmt.Sprintf("%+v", m))
	}}.start(t)
	sqltest.Want(t, withSecrets(t, canary, "127.0.0.1"), doc, at, `{"password":{"secret":"db"}}`, check.StateCrit, "UNREACHABLE")
	mu.Lock()
	defer mu.Unlock()
	if text := strings.Join(heard, "\n"); strings.Contains(text, canary) {
		t.Errorf("the server heard %q, want no password", text)
	}
}

func TestAnswersAreCapped(t *testing.T) {
	t.Parallel()
	for _, size := range []int{100, 100 << 10, 2 << 20} {
		at := fake{cell: make([]byte, size)}.start(t)
		state, reason := check.StateCrit, "SQL_QRY_FAILURE"
		if size == 100 { // the cap on rows comes first
			state, reason = check.StateOK, ""
		}
		res := sqltest.Want(t, factory, doc, at, `{"timeout":"20s"}`, state, reason)
		if m, ok := res.Metric("rows"); ok && m.Value != 10000 {
			t.Errorf("rows = %v, want 10000", m.Value)
		}
	}
}

// What stands in the worker's environment is none of a check's business.
func TestEnvironmentIsIgnored(t *testing.T) {
	passfile := filepath.Join(t.TempDir(), "pgpass")
	if err := os.WriteFile(passfile, []byte("*:*:*:*:canary-0451\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"PGHOST": "192.0.2.1", "PGPORT": "1", "PGUSER": "root", "PGPASSWORD": "canary-0451", "PGDATABASE": "other", "PGPASSFILE": passfile,
		"PGSSLMODE": "verify-full", "PGSSLROOTCERT": "/nonexistent", "PGREQUIREAUTH": "gss", "PGOPTIONS": "-c x=y", "PGTARGETSESSIONATTRS": "standby",
		"PGSSLCERT": "/nonexistent", "PGSSLKEY": "/nonexistent", "PGMINPROTOCOLVERSION": "3.2", "PGCHANNELBINDING": "require",
	} {
		t.Setenv(name, value)
	}
	at := fake{heard: func(m pgproto3.FrontendMessage) {
		if text := fmt.Sprintf("%+v", m); strings.Contains(text, "canary") {
			t.Errorf("the server heard %s", text)
		}
	}}.start(t)
	sqltest.Want(t, factory, doc, at, `{}`, check.StateOK, "")
}

func TestPostgres(t *testing.T) {
	t.Parallel()
	db := peertest.StartPostgres(t)
	factory := withSecrets(t, db.Password, "127.0.0.1")
	server := fmt.Sprintf(`"host":"127.0.0.1","port":%d`, db.Port)
	at := server + `,"user":"monitor","db":"shop","password":{"secret":"db"}`
	t.Run("grades", func(t *testing.T) { sqltest.Grades(t, factory, doc, at) })
	want := func(params string, state check.State, reason string) check.Result {
		t.Helper()
		return sqltest.Want(t, factory, doc, at, params, state, reason)
	}
	res := want(`{"query":"SELECT * FROM generate_series(1,20000)"}`, check.StateOK, "")
	if m, _ := res.Metric("rows"); m.Value != 10000 || !strings.Contains(res.Text, "more than") {
		t.Errorf("rows = %v, %q, want 10000 and that there are more", m.Value, res.Text)
	}

	// It reads only, one statement, no longer than it may.
	for _, query := range []string{
		"CREATE TABLE t (i INT)", "COMMIT; CREATE TABLE t (i INT)", "SELECT 1; SELECT 2", "COPY (SELECT 1) TO PROGRAM 'true'",
		"SELECT set_config('transaction_read_only','off',false), pg_notify('a','b') FROM nowhere", "VACUUM",
	} {
		want(fmt.Sprintf(`{"query":%q}`, query), check.StateCrit, "SQL_QRY_FAILURE")
	}
	want(`{"query":"SELECT COUNT(*) FROM pg_tables WHERE tablename='t'","value":{"crit_max":0}}`, check.StateOK, "")
	begin := time.Now()
	want(`{"query":"SELECT pg_sleep(20)","timeout":"2s"}`, check.StateCrit, "SQL_QRY_FAILURE")
	if took := time.Since(begin); took > 15*time.Second {
		t.Errorf("a query of 20 s that may take 2 s took %v", took)
	}
	want(`{"query":"SELECT setting::int BETWEEN 1 AND 9000 FROM pg_settings WHERE name='statement_timeout'","timeout":"9s"}`, check.StateOK, "")

	// Logging in and TLS.
	sqltest.Want(t, factory, doc, server, `{"user":"monitor","db":"shop","password":{"secret":"wrong"}}`, check.StateCrit, "SQL_QRY_FAILURE")
	sqltest.Want(t, factory, doc, server, `{"user":"monitor","db":"nowhere","password":{"secret":"db"}}`, check.StateCrit, "SQL_QRY_FAILURE")
	cipher := `"query":"SELECT ssl::int FROM pg_stat_ssl WHERE pid=pg_backend_pid()","value":{"crit_min":1}`
	ca := fmt.Sprintf(`"tls":true,"ca":%q`, db.Cert.PEM)
	want(`{`+cipher+`}`, check.StateCrit, "VALUE_OUT_OF_RANGE")
	want(`{`+ca+`,`+cipher+`}`, check.StateOK, "")
	want(`{"tls":true,"verify_tls":false,`+cipher+`}`, check.StateOK, "")
	want(`{"tls":true}`, check.StateCrit, "UNREACHABLE")
	clear := server + `,"user":"clear","db":"shop","password":{"secret":"db"}`
	sqltest.Want(t, factory, doc, clear, `{}`, check.StateCrit, "UNREACHABLE")
	sqltest.Want(t, factory, doc, clear, `{"tls":true,"verify_tls":false}`, check.StateCrit, "UNREACHABLE")
	sqltest.Want(t, factory, doc, clear, `{`+ca+`}`, check.StateOK, "")

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
