package cli

import (
	"os/exec"
	"strings"
	"testing"
)

// TestShellQuote lets a real shell read what was quoted.
func TestShellQuote(t *testing.T) {
	t.Parallel()
	for _, arg := range []string{
		"plain", "*", "", "two words", "it's", `"`, `\`, "$HOME", "`id`", "a\nb", "!x", "~", "#", "{a,b}", "-x",
		`{"url":"http://192.0.2.10/?a=1&b='2'"}`, "ü€", "a;b|c>d<e(f)",
	} {
		out, err := exec.Command("sh", "-c", "printf %s "+shellQuote(arg)).Output()
		if err != nil || string(out) != arg {
			t.Errorf("sh reads shellQuote(%q) = %s as %q, %v", arg, shellQuote(arg), out, err)
		}
	}
}

func TestRedisCLI(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, url, want, note string }{
		{"default", "redis://127.0.0.1:6379/0", "redis-cli -e PING", ""},
		{"no scheme", "127.0.0.1:7000", "redis-cli -p 7000 -e PING", ""},
		{"host, port and database", "redis://redis.example:7000/3", "redis-cli -h redis.example -p 7000 -n 3 -e PING", ""},
		{"password stays out", "rediss://ops:hush@redis.example/0", "redis-cli -h redis.example --tls --user ops -e PING", "REDISCLI_AUTH"},
		{"socket", "unix:///run/redis.sock?db=2", "redis-cli -s /run/redis.sock -n 2 -e PING", ""},
		{"cluster", "redis+cluster://192.0.2.1:7000,192.0.2.2:7000", "redis-cli -h 192.0.2.1 -p 7000 -c -e PING", ""},
		{"sentinel", "redis+sentinel://192.0.2.1:26379,192.0.2.2:26379/main", "redis-cli -h 192.0.2.1 -p 26379 -n main -e PING", "master"},
		{"IPv6", "redis://[2001:db8::1]:7000", "redis-cli -h 2001:db8::1 -p 7000 -e PING", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			line, note := (&options{redis: tt.url}).redisCLI([]string{"PING"})
			if line != tt.want || !strings.Contains(note, tt.note) || (tt.note == "") != (note == "") {
				t.Errorf("redisCLI(%q) = %q, %q, want %q, %q", tt.url, line, note, tt.want, tt.note)
			}
			if strings.Contains(line+note, "hush") {
				t.Errorf("redisCLI(%q) shows the password", tt.url)
			}
		})
	}
}

func TestRedisCLIOptions(t *testing.T) {
	t.Parallel()
	o := &options{redis: "redis://redis.example", user: "ops", password: "hush", ca: "/etc/my ca.pem", cert: "c.pem", key: "k.pem"}
	line, note := o.redisCLI([]string{"PING"})
	want := "redis-cli -h redis.example --user ops --tls --cacert '/etc/my ca.pem' --cert c.pem --key k.pem -e PING"
	if line != want || note != passwordNote {
		t.Errorf("redisCLI = %q, %q, want %q", line, note, want)
	}
}

// What a terminal would obey is written as bytes; bash reads it as it was.
func TestShellQuoteOddBytes(t *testing.T) {
	t.Parallel()
	for _, arg := range []string{"\x1b[2J", "it's \u009b", `a\` + "\x07", "\u202etxt", "\xff\xfe"} {
		line := shellQuote(arg)
		out, err := exec.Command("bash", "-c", "printf %s "+line).Output()
		if err != nil || string(out) != arg || strings.ContainsFunc(line, draws) {
			t.Errorf("bash reads shellQuote(%q) = %q as %q, %v", arg, line, out, err)
		}
	}
}
