package redisqueue

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redpoll/redpoll/internal/redistest"
)

// How long a test waits for an answer: when there is one, even on a busy machine,
// and when there is none.
const (
	answers = "?max_retries=-1&dial_timeout=30s"
	silent  = "?max_retries=-1&dial_timeout=2s"
)

// ping opens a client, asks once and closes it.
func ping(t *testing.T, url string, sec Security) error {
	t.Helper()
	client, err := Open(url, sec)
	if err != nil {
		return err
	}
	defer client.Close()
	return client.Ping(t.Context()).Err()
}

// TestTLS: who is not trusted, not meant or not known is refused, and the error
// and its explanation say why.
func TestTLS(t *testing.T) {
	t.Parallel()
	later, past := time.Now().Add(time.Hour), time.Now().Add(-time.Hour)
	ours, other := redistest.NewAuthority(t), redistest.NewAuthority(t)
	good := ours.StartTLS(t, ours.Issue(t, "good", "127.0.0.1", later)).URL() + answers
	old := ours.StartTLS(t, ours.Issue(t, "old", "127.0.0.1", past)).URL() + answers
	named := ours.StartTLS(t, ours.Issue(t, "named", "redis.example", later)).URL() + answers
	plain := redistest.Start(t)
	client, expired, foreign := ours.Issue(t, "client", "client", later), ours.Issue(t, "expired", "client", past), other.Issue(t, "foreign", "client", later)
	with := func(ca *redistest.Authority, p redistest.Pair, name string) Security {
		return Security{CAFile: ca.File, CertFile: p.Cert, KeyFile: p.Key, ServerName: name}
	}
	for _, tt := range []struct {
		name, url string
		sec       Security
		err, hint string
	}{
		{"all is right", good, with(ours, client, ""), "", ""},
		{"by its name", named, with(ours, client, "redis.example"), "", ""},
		{"wrong authority", good, with(other, client, ""), "signed by unknown authority", "redis-ca names"},
		{"authorities of the system", good, Security{CertFile: client.Cert, KeyFile: client.Key}, "signed by unknown authority", "redis-ca names"},
		{"certificate of Redis expired", old, with(ours, client, ""), "expired", "renew the certificate of Redis"},
		{"another host", named, with(ours, client, ""), "doesn't contain any IP SANs", "redis-server-name"},
		{"another name", named, with(ours, client, "redis.other"), "valid for redis.example, not redis.other", "redis-server-name"},
		{"no certificate of ours", good, Security{CAFile: ours.File}, "certificate required", "redis-cert and redis-key"},
		{"our certificate expired", good, with(ours, expired, ""), "expired certificate", "redis-cert"},
		{"our certificate is a stranger's", good, with(ours, foreign, ""), "unknown certificate authority", "tls-ca-cert-file"},
		{"TLS to a port without", "rediss://" + plain.Addr() + silent, with(ours, client, ""), "no answer to the handshake", "tls-port"},
		{"no TLS to a port with", strings.Replace(good, "rediss", "redis", 1), Security{}, "EOF", "rediss://"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := ping(t, tt.url, tt.sec)
			if tt.err == "" {
				if err != nil {
					t.Errorf("ping = %v, want nil", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("ping = %v, want %q in it", err, tt.err)
			}
			if hint := Explain(err); !strings.Contains(hint, tt.hint) {
				t.Errorf("Explain(%v) = %q, want %q in it", err, hint, tt.hint)
			}
		})
	}
}

// Files of credentials are read when they are needed: at the start all faults
// are told, later on what was replaced is used.
func TestSecurityFaults(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	empty, big := filepath.Join(dir, "empty"), filepath.Join(dir, "big")
	for file, size := range map[string]int{empty: 0, big: maxCredential + 1} {
		if err := os.WriteFile(file, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		sec  Security
		want []string
	}{
		{Security{CAFile: dir + "/a", CertFile: dir + "/b", KeyFile: dir + "/c", PasswordFile: dir + "/d"}, []string{"redis-ca: ", "redis-cert ", "redis-password-file: "}},
		{Security{CAFile: empty, CertFile: empty}, []string{"no certificate in " + empty, "one needs the other"}},
		{Security{PasswordFile: big}, []string{"want at most"}},
		{Security{CAFile: big}, []string{"want at most"}},
	} {
		_, err := Open("redis://127.0.0.1:1", tt.sec)
		for _, want := range tt.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("Open(%+v) = %v, want %q in it", tt.sec, err, want)
			}
		}
	}
	if _, err := Open("rediss://127.0.0.1:1?skip_verify=true", Security{}); err == nil || !strings.Contains(err.Error(), "skip_verify") {
		t.Errorf("Open() with skip_verify = %v, want a refusal", err)
	}
}

func TestCertificatesAreReplaced(t *testing.T) {
	t.Parallel()
	ca := redistest.NewAuthority(t)
	url := ca.StartTLS(t, ca.Issue(t, "server", "127.0.0.1", time.Now().Add(time.Hour))).URL()
	p := ca.Issue(t, "client", "client", time.Now().Add(-time.Hour))
	client, err := Open(url+"?max_retries=-1", Security{CAFile: ca.File, CertFile: p.Cert, KeyFile: p.Key})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.Ping(t.Context()).Err(); err == nil {
		t.Fatal("Ping with an expired certificate worked")
	}
	ca.Issue(t, "client", "client", time.Now().Add(time.Hour))
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Errorf("Ping with the new certificate = %v", err)
	}
}

func TestPasswordIsReplaced(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	admin := server.Client(t)
	file := filepath.Join(t.TempDir(), "password")
	turn := func(password string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := admin.Do(t.Context(), "ACL", "SETUSER", "kim", "on", "resetpass", ">"+password, "+ping").Err(); err != nil {
			t.Fatal(err)
		}
	}
	turn("first")
	client, err := Open(server.URL(), Security{Username: "kim", PasswordFile: file})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, password := range []string{"first", "second"} {
		turn(password)
		if err := admin.ClientKillByFilter(t.Context(), "USER", "kim", "SKIPME", "yes").Err(); err != nil {
			t.Fatal(err)
		}
		if err := client.Ping(t.Context()).Err(); err != nil {
			t.Errorf("Ping after a change of the password to %s: %v", password, err)
		}
	}
}

// TLS is of version 1.2 at least.
func TestOldTLSIsRefused(t *testing.T) {
	t.Parallel()
	ca := redistest.NewAuthority(t)
	p := ca.Issue(t, "server", "127.0.0.1", time.Now().Add(time.Hour))
	pair, err := tls.LoadX509KeyPair(p.Cert, p.Key)
	if err != nil {
		t.Fatal(err)
	}
	for version, ok := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true} {
		l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS10, MaxVersion: version})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				_ = conn.(*tls.Conn).Handshake() // the client tells what became of it
				_ = conn.Close()
			}
		}()
		conn, err := (Security{CAFile: ca.File}).dialer(true, dialTimeout)(t.Context(), "tcp", l.Addr().String())
		if (err == nil) != ok {
			t.Errorf("a handshake of version %#x = %v, want it to work: %v", version, err, ok)
		}
		if err == nil {
			_ = conn.Close()
		}
	}
}

// Who is told of connections is told of servers and of Sentinels.
func TestDialed(t *testing.T) {
	t.Parallel()
	master := redistest.Start(t)
	sentinel := redistest.StartSentinel(t, master)
	var mu sync.Mutex
	seen := map[string]bool{}
	client, err := Open("redis+sentinel://"+sentinel+"/mymaster", Security{Dialed: func(remote net.Addr) {
		mu.Lock()
		defer mu.Unlock()
		seen[remote.String()] = true
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	eventually(t, func() bool { return client.Ping(t.Context()).Err() == nil })
	mu.Lock()
	defer mu.Unlock()
	if !seen[sentinel] || !seen[master.Addr()] || len(seen) != 2 {
		t.Errorf("told of %v, want %s and %s", seen, sentinel, master.Addr())
	}
}

func TestInClear(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]bool{
		"redis://127.0.0.1:6379/0": false, "redis://kim:secret@localhost:1": false, "redis://[::1]:6379": false, "redis://:6379": false,
		"unix:///run/redis.sock": false, "rediss://10.0.0.1:1": false, "rediss+cluster://a:1,b:2": false, "rediss+sentinel://a:1/m": false,
		"redis://10.0.0.1:6379/0": true, "redis://p@127.0.0.1@redis:6379": true, "redis://redis/0?db=1": true, "redis://[2001:db8::1]:6379": true,
		"redis+cluster://127.0.0.1:1,b:2": true, "redis+sentinel://localhost:1,127.0.0.2:1/m": false, "redis://127.0.0.1.example:1": true,
	} {
		if got := InClear(url, Security{}); got != want {
			t.Errorf("InClear(%s) = %v, want %v", url, got, want)
		}
		if InClear(url, Security{CAFile: "x"}) {
			t.Errorf("InClear(%s) with an authority = true, want TLS", url)
		}
	}
}

func FuzzOpen(f *testing.F) {
	for _, url := range []string{"redis://kim:canary@h:1/2", "rediss://h?dial_timeout=3", "unix:///x?db=1", "redis+cluster://kim:canary@a:1,b", "redis+sentinel://:canary@a:1/m/3", "x://", "redis://%"} {
		f.Add(url)
	}
	f.Fuzz(func(t *testing.T, url string) {
		InClear(url, Security{})
		client, err := Open(url, Security{Password: "canary"})
		if err == nil {
			_ = client.Close()
			return
		}
		if strings.Contains(fmt.Sprint(err), "canary@") {
			t.Errorf("Open(%q) = %v: it shows the password", url, err)
		}
	})
}
