package redistest

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/redis/go-redis/v9"
)

// rolesFile is the project's list of users, from its root.
const rolesFile = "deploy/redis/users.acl"

// tester is the user of StartRoles that may do everything.
const tester = "tester"

var wantedHash = regexp.MustCompile(`#SHA256_OF_THE_PASSWORD_OF_([a-z]+)`)

// StartRoles is Start for a server with the users of deploy/redis/users.acl,
// whose passwords are their names. Client connects as one more user, who may do
// everything.
func StartRoles(t testing.TB, args ...string) *Server {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root(t), rolesFile))
	if err != nil {
		t.Fatal(err)
	}
	return StartUsers(t, wantedHash.ReplaceAll(text, []byte(">$1")), args...)
}

// StartUsers is StartRoles with another list of users.
func StartUsers(t testing.TB, text []byte, args ...string) *Server {
	t.Helper()
	need(t)
	text = fmt.Appendf(text, "user %s reset on >%[1]s ~* &* +@all\n", tester)
	file := filepath.Join(t.TempDir(), "users.acl")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	s := &Server{Dir: t.TempDir(), user: tester, args: append([]string{"--aclfile", file}, args...)}
	s.start(t)
	return s
}

// As connects as one of the users of StartRoles.
func (s *Server) As(t testing.TB, role string) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: s.Addr(), DisableIdentity: true, Username: role, Password: role})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// URLAs is URL for one of the users of StartRoles.
func (s *Server) URLAs(role string) string {
	return fmt.Sprintf("redis://%s:%[1]s@%s/0", role, s.Addr())
}

// root is the folder of go.mod.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	for ; err == nil; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	t.Fatalf("no go.mod above the test: %v", err)
	return ""
}
