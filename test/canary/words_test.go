package canary

import (
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// secrets are the names of the worker's secrets; the value of each is a canary.
var secrets = []string{"web", "community", "auth", "priv", "sql", "hook", "sign", "tree", "alert", "redis", "typed"}

// canary is the value of a secret, a word that nobody says by chance.
func canary(name string) string { return "cnry-" + name + "-7d1b9f" }

// targetsList lets secrets go to 127.0.0.1, and nowhere else.
const targetsList = "127.0.0.1\nlocalhost\n"

// secretsDir makes the worker's directory. The last two secrets are not in it:
// Redis' own password, and one that somebody types into a check.
func secretsDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range secrets[:len(secrets)-2] {
		write(name, canary(name)+"\n")
	}
	write(".targets", targetsList)
	return dir
}

// found gives the secrets whose value is in text, as it is or in one of the
// forms that protocols and formats give it.
func found(text string) (names []string) {
	for _, name := range secrets {
		for _, form := range forms(canary(name)) {
			if strings.Contains(text, form) {
				names = append(names, name)
				break
			}
		}
	}
	return names
}

// forms are the value as it is, in hex, and the part of its base64 that does
// not depend on what stands beside it.
func forms(value string) []string {
	all := []string{value, hex.EncodeToString([]byte(value)), strings.ToUpper(hex.EncodeToString([]byte(value)))}
	for before := range 3 {
		skip := (3 - before) % 3
		whole := (len(value) - skip) / 3 * 3
		all = append(all, base64.StdEncoding.EncodeToString([]byte(value[skip:skip+whole])))
	}
	return all
}

// TestFound: the search finds what it is for.
func TestFound(t *testing.T) {
	t.Parallel()
	v := canary("web")
	for _, text := range []string{
		v, "Bearer " + v + "\n", hex.EncodeToString([]byte("x" + v)),
		base64.StdEncoding.EncodeToString([]byte("u:" + v)), base64.StdEncoding.EncodeToString([]byte("us:" + v + "!")), base64.RawURLEncoding.EncodeToString([]byte(v)),
	} {
		if got := found(text); len(got) != 1 || got[0] != "web" {
			t.Errorf("found(%q) = %v, want web", text, got)
		}
	}
	if got := found("cnry-web, secret:web"); got != nil {
		t.Errorf("found nothing = %v", got)
	}
}
