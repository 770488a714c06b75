package mysql_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/check/checktest"
	"github.com/redpoll/redpoll/pkg/commands/internal/sqlcheck/sqltest"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
	"github.com/redpoll/redpoll/pkg/commands/mysql"
)

const doc = "../../../docs/commands/mysql.md"

var factory = check.Typed(mysql.Defaults(), mysql.New(tools.Tools{}))

// canary is a password that must turn up nowhere.
const canary = "canary-0451"

// withSecret is a factory whose secret "db" may be sent to targets.
func withSecret(t *testing.T, targets string) check.CommandFactory {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"db": canary, "db.targets": targets} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	secrets, err := tools.OpenSecrets(dir)
	if err != nil {
		t.Fatal(err)
	}
	return check.Typed(mysql.Defaults(), mysql.New(tools.Tools{Secrets: secrets}))
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
		Bad: sqltest.Bad(at), Doc: doc, Defaults: mysql.Defaults(),
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

// listener collects what clients send.
type listener struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

func (l *listener) hear(p []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(p)
	l.text.WriteByte('\n')
}

func (l *listener) all() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// A server may ask for any file of the client: LOAD DATA LOCAL INFILE.
func TestFilesStayHere(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(canary), 0o600); err != nil {
		t.Fatal(err)
	}
	var l listener
	at := fake{heard: l.hear, reply: func(string) ([][]byte, bool) {
		return [][]byte{append([]byte{0xfb}, secret...)}, true
	}}.start(t)
	sqltest.Want(t, factory, doc, at, `{"timeout":"2s"}`, check.StateCrit, "SQL_QRY_FAILURE")
	if heard := l.all(); !strings.Contains(heard, "SELECT 1") || strings.Contains(heard, canary) {
		t.Errorf("the server heard %q, want the query and no file", heard)
	}
}

func TestPasswordIsNotSentInPlainText(t *testing.T) {
	t.Parallel()
	for _, plugin := range []string{"mysql_clear_password", "mysql_old_password", "dialog"} {
		t.Run(plugin, func(t *testing.T) {
			t.Parallel()
			var l listener
			at := fake{auth: plugin, heard: l.hear}.start(t)
			res := sqltest.Want(t, withSecret(t, "127.0.0.1"), doc, at, `{"timeout":"1s","password":{"secret":"db"}}`, check.StateCrit, "UNREACHABLE")
			if heard := l.all(); !strings.Contains(heard, "monitor") || strings.Contains(heard, canary) {
				t.Errorf("the server heard %q, want no password", heard)
			}
			if strings.Contains(res.Text, canary) {
				t.Errorf("text = %q", res.Text)
			}
		})
	}
}

func TestPasswordIsForItsTargetsOnly(t *testing.T) {
	t.Parallel()
	var l listener
	at := fake{heard: l.hear}.start(t)
	cmd, err := withSecret(t, "db.example.test")([]byte(`{` + at + `,"password":{"secret":"db"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if res, err := cmd.Run(t.Context(), check.Run{}); err == nil || strings.Contains(err.Error(), canary) || l.all() != "" {
		t.Errorf("Run = %v %v, and the server heard %q, want an error before anything was sent", res, err, l.all())
	}
}

func TestAnswersAreCapped(t *testing.T) {
	t.Parallel()
	row := append([]byte{0xfd, 0, 0, 0x08}, make([]byte, 8<<16)...) // a cell of half a megabyte
	at := fake{reply: func(string) ([][]byte, bool) {
		packets := [][]byte{
			[]byte("\x01"),
			[]byte("\x03def\x00\x00\x00\x01v\x00\x0c\x2d\x00\xff\x00\x00\x00\xfd\x00\x00\x00\x00\x00"),
			[]byte("\xfe\x00\x00" + status),
		}
		for range 20 {
			packets = append(packets, row)
		}
		return packets, true
	}}.start(t)
	res := sqltest.Want(t, factory, doc, at, `{"timeout":"5s"}`, check.StateCrit, "SQL_QRY_FAILURE")
	if len(res.Text) > check.MaxText {
		t.Errorf("text of %d bytes", len(res.Text))
	}
}
