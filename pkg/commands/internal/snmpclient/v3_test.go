package snmpclient

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands/internal/snmptest"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
)

// users are what snmpd 5.9 of Debian can do; it has no aes192 and aes256 of
// either kind unless it was built for them.
var users = []struct{ name, auth, priv, snmpd string }{
	{"nobody", "", "", ""},
	{"umd5", "md5", "", "MD5"},
	{"usha", "sha", "", "SHA"},
	{"usha224", "sha224", "", "SHA-224"},
	{"usha256", "sha256", "", "SHA-256"},
	{"usha384", "sha384", "", "SHA-384"},
	{"usha512", "sha512", "", "SHA-512"},
	{"umd5des", "md5", "des", "MD5"},
	{"ushades", "sha", "des", "SHA"},
	{"ushaaes", "sha", "aes", "SHA"},
	{"usha512aes", "sha512", "aes", "SHA-512"},
	{"usha256aes192", "sha256", "aes192", "SHA-256"},
	{"usha512aes256", "sha512", "aes256", "SHA-512"},
	{"ushaaes192c", "sha", "aes192c", "SHA"},
	{"ushaaes256c", "sha", "aes256c", "SHA"},
}

const (
	authCanary = "canary-auth-4711"
	privCanary = "canary-priv-0815"
)

// config is that of an snmpd with all users.
func config() string {
	var b strings.Builder
	b.WriteString("rocommunity public 127.0.0.1\nrocommunity other-community 127.0.0.1\nsysLocation the cellar\n")
	for _, u := range users {
		level := "noauth"
		fmt.Fprintf(&b, "createUser %s", u.name)
		if u.auth != "" {
			level = "auth"
			fmt.Fprintf(&b, " %s %q", u.snmpd, authCanary)
		}
		if u.priv != "" {
			level = "priv"
			fmt.Fprintf(&b, " %s %q", map[string]string{
				"des": "DES", "aes": "AES", "aes192": "AES-192", "aes256": "AES-256", "aes192c": "AES-192-C", "aes256c": "AES-256-C",
			}[u.priv], privCanary)
		}
		fmt.Fprintf(&b, "\nrouser %s %s\n", u.name, level)
	}
	return b.String()
}

// as makes settings those of a user.
func as(name, auth, priv string) func(*Settings) {
	return func(s *Settings) {
		s.Version, s.User, s.AuthProtocol, s.PrivProtocol = V3, name, auth, priv
		if auth != "" {
			s.AuthPassword.Name = "auth"
		}
		if priv != "" {
			s.PrivPassword.Name = "priv"
		}
	}
}

func secrets(t testing.TB) tools.Tools {
	return withSecrets(t, map[string]string{"auth": authCanary, "priv": privCanary + "\n", "wrong": "not the password", "short": "1234567", "other": "other-community"})
}

// TestFault8 shows that version 3 can be configured to the full, that a socket
// and the engine's discovery serve many checks, and that tables come in bulk.
func TestFault8(t *testing.T) {
	t.Parallel()
	d := snmptest.Start(t, config())
	p := pool(t, secrets(t))
	for _, u := range users {
		for _, transport := range []string{"udp", "tcp"} {
			s := at(d.Port, as(u.name, u.auth, u.priv), func(s *Settings) { s.Transport = transport })
			idle := p.Idle()
			for range 3 {
				got, err := get(t, t.Context(), p, s, "1.3.6.1.2.1.1.6.0", sysUpTime)
				if err != nil || got[0].Text != "the cellar" || got[1].Type != Ticks {
					t.Fatalf("Get as %s over %s = %v, %v", u.name, transport, got, err)
				}
			}
			if p.Idle() != idle+1 {
				t.Errorf("%d sessions for three runs", p.Idle()-idle)
			}
		}
	}
	c, err := p.Client(at(d.Port, as("usha512aes", "sha512", "aes")))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	rows := 0
	if err := c.Walk(t.Context(), "1.3.6.1.2.1.1", func(Value) error { rows++; return nil }); err != nil || rows < 10 {
		t.Errorf("Walk = %d rows, %v", rows, err)
	}
	if bulk, sure := c.known.try(); !bulk || !sure {
		t.Error("the walk did not use GETBULK")
	}
}

func TestCommunities(t *testing.T) {
	t.Parallel()
	d := snmptest.Start(t, config())
	p := pool(t, secrets(t))
	for _, v := range []Version{V1, V2c} {
		s := at(d.Port, func(s *Settings) { s.Version, s.Community.Secret.Name = v, "other" })
		if got, err := get(t, t.Context(), p, s, "1.3.6.1.2.1.1.6.0"); err != nil || got[0].Text != "the cellar" {
			t.Errorf("Get by version %s = %v, %v", v, got, err)
		}
	}
	s := at(d.Port, quick, func(s *Settings) { s.Community.Secret.Name = "wrong" })
	if _, err := get(t, t.Context(), p, s, sysUpTime); !errors.Is(err, ErrNoAnswer) {
		t.Errorf("Get with a wrong community = %v", err)
	}
}

func TestRefusedUsers(t *testing.T) {
	t.Parallel()
	d := snmptest.Start(t, config())
	tl := secrets(t)
	for _, tt := range []struct {
		name   string
		change func(*Settings)
	}{
		{"unknown user", as("who", "sha", "aes")},
		{"wrong auth password", func(s *Settings) { as("ushaaes", "sha", "aes")(s); s.AuthPassword.Name = "wrong" }},
		{"wrong auth protocol", as("usha", "sha256", "")},
		{"wrong priv password", func(s *Settings) { as("ushaaes", "sha", "aes")(s); s.PrivPassword.Name = "wrong" }},
		{"wrong priv protocol", as("ushaaes", "sha", "des")},
		{"level too low", as("usha", "", "")},
		{"unknown context", func(s *Settings) { as("ushaaes", "sha", "aes")(s); s.Context = "mars" }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := pool(t, tl)
			begin := time.Now()
			got, err := get(t, t.Context(), p, at(d.Port, quick, tt.change), sysUpTime)
			if err == nil || time.Since(begin) > 2*time.Second {
				t.Fatalf("Get = %v, %v after %v, want an error", got, err, time.Since(begin))
			}
			if strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), "not the password") {
				t.Errorf("the error tells a password: %v", err)
			}
			res, err := Failure(err, time.Now())
			if err != nil || res.State == check.StateOK || res.Text == "" {
				t.Errorf("Failure = %v, %v, want a result", res, err)
			}
			t.Log(res.State, res.Reason, res.Text)
		})
	}
	short := at(d.Port, as("usha", "sha", ""), func(s *Settings) { s.AuthPassword.Name = "short" })
	p := pool(t, tl)
	if _, err := get(t, t.Context(), p, short, sysUpTime); err == nil || strings.Contains(err.Error(), "1234567") {
		t.Errorf("Get with a short password = %v", err)
	}
	far := at(d.Port, as("usha", "sha", ""), func(s *Settings) { s.Host = "localhost" })
	if _, err := get(t, t.Context(), p, far, sysUpTime); err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("Get from a host that the secret may not be sent to = %v", err)
	}
}

// TestEngineCache shows that a second session needs no discovery, and that a
// device which comes back with another clock or another engine costs no run.
func TestEngineCache(t *testing.T) {
	t.Parallel()
	d := snmptest.Start(t, config())
	for _, u := range [][3]string{{"nobody"}, {"usha", "sha"}, {"ushaaes", "sha", "aes"}} {
		p := pool(t, secrets(t))
		s := at(d.Port, as(u[0], u[1], u[2]), func(s *Settings) { s.Timeout = check.Duration(time.Second) })
		ask := func(when string) {
			t.Helper()
			if got, err := get(t, t.Context(), p, s, "1.3.6.1.2.1.1.6.0"); err != nil || got[0].Text != "the cellar" {
				t.Fatalf("Get as %s %s = %v, %v", u[0], when, got, err)
			}
		}
		ask("first")
		c, err := p.Client(s)
		if err != nil {
			t.Fatal(err)
		}
		id := c.known.getEngine().id
		if len(id) < 5 {
			t.Fatalf("engine id = %x", id)
		}
		p.take(c.key).close() // the session is gone, the engine is known
		if err := c.open(t.Context()); err != nil || c.session.engine().id != id || !c.session.known {
			t.Fatalf("a new session begins with engine %x, %v, want %x", c.session.engine().id, err, id)
		}
		c.Close()
		ask("with a known engine")
		d.Restart(t, false)
		ask("after a restart")
		d.Restart(t, true)
		ask("after a new engine")
		if again := p.device(c.key).getEngine().id; again == id {
			t.Error("the engine is the old one")
		}
	}
}

// TestReports shows what becomes of a device that answers with reports only.
func TestReports(t *testing.T) {
	t.Parallel()
	const usm = "1.3.6.1.6.3.15.1.1."
	for _, tt := range []struct{ name, engine, first, then, why string }{
		{"no time window", "\x80\x00\x1f\x88\x04abcd", usm + "4.0", usm + "2.0", "clock"},
		{"unknown engine for ever", "\x80\x00\x1f\x88\x04abcd", usm + "4.0", usm + "4.0", ""},
		{"unknown user", "\x80\x00\x1f\x88\x04abcd", usm + "4.0", usm + "3.0", "user"},
		{"a report of its own", "\x80\x00\x1f\x88\x04abcd", usm + "4.0", "1.3.9.9", "report"},
		{"engine without id", "", usm + "4.0", usm + "4.0", ""},
		{"giant engine id", strings.Repeat("x", 5000), usm + "4.0", usm + "4.0", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := snmptest.NewAgent(t)
			first := true
			a.Script(func(r snmptest.Request) [][]byte {
				if first {
					first = false
					return [][]byte{r.Report(tt.engine, "", tt.first)}
				}
				return [][]byte{r.Report(tt.engine, "nobody", tt.then)}
			})
			_, err := get(t, t.Context(), pool(t, secrets(t)), at(a.Port, as("nobody", "", "")), sysUpTime)
			if !errors.Is(err, ErrDevice) || !strings.Contains(err.Error(), tt.why) {
				t.Errorf("Get = %v, want ErrDevice with %q", err, tt.why)
			}
			if n := len(a.Requests()); n > 10 {
				t.Errorf("%d requests", n)
			}
		})
	}
}
