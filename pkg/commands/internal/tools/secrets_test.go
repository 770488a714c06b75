package tools

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// canary must never be seen outside of what Lookup returns.
const canary = "canary-5c1f"

func secretsDir(t *testing.T, files map[string]string) *Secrets {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := OpenSecrets(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestLookup(t *testing.T) {
	t.Parallel()
	s := secretsDir(t, map[string]string{
		"web":         canary + "\n",
		"web.targets": "# the shop\nshop.example.net\n*.pool.example.net # all of them\n192.0.2.0/24\n2001:db8::5\n",
		"lines":       canary + "\n\n", "lines.targets": "*\n",
		"nolist": canary,
		"empty":  "\n",
		"bad":    canary, "bad.targets": "shop.example.net\nhttp://x/\n",
		"bad2": canary, "bad2.targets": "[a\n*",
		"large": strings.Repeat("x", maxSecret+1), "large.targets": "*",
	})
	for _, tt := range []struct{ name, target, want string }{
		{"web", "shop.example.net", canary},
		{"web", "SHOP.Example.net.", canary},
		{"web", "a.pool.example.net", canary},
		{"web", "a.b.pool.example.net", ""},
		{"web", ".pool.example.net", ""},
		{"web", "pool.example.net", ""},
		{"web", "shop.example.net.evil.example", ""},
		{"web", "evil.example", ""},
		{"web", "", ""},
		{"web", "192.0.2.77", canary},
		{"web", "::ffff:192.0.2.77", canary},
		{"web", "[2001:db8::5]", canary},
		{"web", "2001:db8::6", ""},
		{"lines", "anything", canary + "\n"},
		{"nolist", "shop.example.net", ""},
		{"empty", "shop.example.net", ""},
		{"bad", "shop.example.net", ""},
		{"bad2", "shop.example.net", ""},
		{"large", "shop.example.net", ""},
		{"missing", "shop.example.net", ""},
		{"web.targets", "shop.example.net", ""},
		{"../web", "shop.example.net", ""},
		{".targets", "shop.example.net", ""},
	} {
		t.Run(tt.name+" to "+tt.target, func(t *testing.T) {
			t.Parallel()
			got, err := Tools{Secrets: s}.Secret(Secret{Name: tt.name}, tt.target)
			if got != tt.want || (err == nil) != (tt.want != "") {
				t.Fatalf("Secret(%q, %q) = %q, %v, want %q", tt.name, tt.target, got, err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), canary) {
				t.Fatalf("the error tells the secret: %v", err)
			}
		})
	}
}

func TestListForAll(t *testing.T) {
	t.Parallel()
	s := secretsDir(t, map[string]string{".targets": "a.example", "x": canary, "y": canary, "y.targets": "b.example"})
	for _, tt := range []struct {
		name, target string
		ok           bool
	}{{"x", "a.example", true}, {"y", "a.example", false}, {"y", "b.example", true}} {
		if _, err := s.Lookup(tt.name, tt.target); (err == nil) != tt.ok {
			t.Errorf("Lookup(%s, %s) = %v, want ok %v", tt.name, tt.target, err, tt.ok)
		}
	}
}

func TestReread(t *testing.T) {
	t.Parallel()
	s := secretsDir(t, map[string]string{"x": "one", ".targets": "*"})
	synctest.Test(t, func(t *testing.T) {
		want := func(want string) {
			t.Helper()
			if got, err := s.Lookup("x", "h"); got != want {
				t.Fatalf("Lookup = %q, %v, want %q", got, err, want)
			}
		}
		want("one")
		if err := os.WriteFile(filepath.Join(s.dir, "x"), []byte("two"), 0o600); err != nil {
			t.Fatal(err)
		}
		want("one")
		<-time.After(reread)
		want("two")
		if err := os.Remove(filepath.Join(s.dir, "x")); err != nil {
			t.Fatal(err)
		}
		<-time.After(reread)
		want("")
	})
}

func TestOpenSecrets(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, file + "-missing"} {
		if _, err := OpenSecrets(dir); err == nil {
			t.Errorf("OpenSecrets(%s) = nil, want an error", dir)
		}
	}
	if _, err := (Tools{}).Secret(Secret{Name: "x"}, "h"); err == nil {
		t.Error("Secret without a directory = nil, want an error")
	}
	if _, err := (Tools{}).Secret(Secret{}, "h"); err == nil {
		t.Error("Secret without a name = nil, want an error")
	}
}

func TestSecretJSON(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text string
		want string
		ok   bool
	}{
		{`{"secret":"web-login"}`, "web-login", true},
		{`null`, "", true},
		{`"` + canary + `"`, "", false},
		{`{"secret":"a","value":"` + canary + `"}`, "", false},
		{`{"secret":"../` + canary + `"}`, "", false},
		{`{"secret":".` + canary + `"}`, "", false},
		{`{"secret":"` + canary + ` "}`, "", false},
		{`{"secret":""}`, "", false},
		{`{}`, "", false},
		{`[]`, "", false},
		{`12345`, "", false},
	} {
		var s Secret
		err := json.Unmarshal([]byte(tt.text), &s)
		if (err == nil) != tt.ok || s.Name != tt.want {
			t.Errorf("Unmarshal(%s) = %v, %v, want %q", tt.text, s, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), canary) {
			t.Errorf("Unmarshal(%s): the error quotes the text: %v", tt.text, err)
		}
	}
	s := Secret{Name: "web-login"}
	if b, err := json.Marshal(s); string(b) != `{"secret":"web-login"}` {
		t.Errorf("Marshal = %s, %v", b, err)
	}
	if got := fmt.Sprintf("%v %s", s, s); got != "secret:web-login secret:web-login" {
		t.Errorf("Sprintf = %s", got)
	}
}

func FuzzTargets(f *testing.F) {
	f.Add("a.example\n10.0.0.0/8\n*.b", "x.b")
	f.Add("[", "10.0.0.1")
	f.Fuzz(func(t *testing.T, list, target string) {
		l, err := parseTargets(list)
		if err != nil && l.allows(target) {
			t.Fatalf("a list with a fault (%v) allows %q", err, target)
		}
		if strings.TrimSpace(list) == "" && l.allows(target) {
			t.Fatalf("an empty list allows %q", target)
		}
	})
}
