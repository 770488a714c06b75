package redisqueue

import (
	"crypto/tls"
	"fmt"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// describe says what kind of client it is and where it goes.
func describe(c redis.UniversalClient) string {
	switch c := c.(type) {
	case *redis.ClusterClient:
		o := c.Options()
		return fmt.Sprintf("cluster %s user %s password %s tls %v", strings.Join(o.Addrs, ","), o.Username, o.Password, o.TLSConfig != nil)
	case *redis.Client:
		o := c.Options()
		return fmt.Sprintf("%s %s db %d user %s password %s tls %v", o.Network, o.Addr, o.DB, o.Username, o.Password, o.TLSConfig != nil)
	}
	return fmt.Sprintf("%T", c)
}

func TestOpen(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		url  string
		sec  Security
		want string
	}{
		{"redis://127.0.0.1:7000/2", Security{}, "tcp 127.0.0.1:7000 db 2 user  password  tls false"},
		{"redis://kim:secret@h:1/0", Security{}, "tcp h:1 db 0 user kim password secret tls false"},
		{"redis://kim:secret@h:1", Security{Username: "ada", Password: "other"}, "tcp h:1 db 0 user ada password other tls false"},
		{"rediss://h:1", Security{}, "tcp h:1 db 0 user  password  tls true"},
		{"redis://h:1", Security{TLS: &tls.Config{MinVersion: tls.VersionTLS13}}, "tcp h:1 db 0 user  password  tls true"},
		{"unix:///run/redis.sock?db=3", Security{TLS: &tls.Config{MinVersion: tls.VersionTLS13}}, "unix /run/redis.sock db 3 user  password  tls false"},
		{"redis+cluster://a:1,b:2", Security{}, "cluster a:1,b:2 user  password  tls false"},
		{"redis+cluster://kim:secret@a:1, b:2/0", Security{}, "cluster a:1,b:2 user kim password secret tls false"},
		{"rediss+cluster://a:1", Security{Password: "p"}, "cluster a:1 user  password p tls true"},
		{"redis+sentinel://:secret@s1:1,s2:2/mymaster/4", Security{}, "tcp FailoverClient db 4 user  password secret tls false"},
		{"rediss+sentinel://s1:1/mymaster", Security{}, "tcp FailoverClient db 0 user  password  tls true"},
	} {
		c, err := Open(tt.url, tt.sec)
		if err != nil {
			t.Errorf("Open(%s) = %v", tt.url, err)
			continue
		}
		if got := describe(c); got != tt.want {
			t.Errorf("Open(%s) = %s, want %s", tt.url, got, tt.want)
		}
		_ = c.Close()
	}
}

// What cannot be opened is said, with the scheme that would do and never with
// the password.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"":                              "want redis://",
		"127.0.0.1:6379":                "want redis://",
		"http://h:1":                    `scheme "http"`,
		"redis://kim:secret@h:1/x":      "database",
		"redis://kim:secret@h:port":     "port",
		"redis+cluster://":              "needs addresses",
		"redis+cluster://kim:secret@":   "needs addresses",
		"redis+cluster://a:1/5":         "one database",
		"redis+sentinel://s:1":          "master's name",
		"redis+sentinel://s:1/m/secret": "database",
	} {
		c, err := Open(url, Security{})
		if err == nil {
			_ = c.Close()
			t.Errorf("Open(%s) worked, want an error", url)
			continue
		}
		if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "kim:secret") || strings.Contains(err.Error(), "secret@") {
			t.Errorf("Open(%s) = %v, want %q in it and no password", url, err, want)
		}
	}
}
