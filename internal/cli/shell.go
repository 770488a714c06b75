package cli

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

var shellSafe = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// shellQuote quotes an argument for a POSIX shell where it needs to be.
func shellQuote(arg string) string {
	if shellSafe.MatchString(arg) {
		return arg
	}
	odd := func(r rune) bool { return draws(r) && r != '\n' && r != '\t' }
	if strings.ContainsFunc(arg, odd) || !utf8.ValidString(arg) {
		return quoteBytes(arg)
	}
	return "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
}

// quoteBytes is for what would do something to the terminal that shows it: bash
// and zsh know this form.
func quoteBytes(arg string) string {
	var b strings.Builder
	for i := range len(arg) {
		switch c := arg[i]; {
		case c == '\'' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c >= 0x7f:
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	return "$'" + b.String() + "'"
}

// redisCLI gives the shell line that sends args to the server of the options,
// and a note for people where a line alone does not say it all. Passwords are
// never in it.
func (o *options) redisCLI(args []string) (line, note string) {
	words, note := redisCLIOptions(o.redis)
	if o.user != "" {
		words = append(words, "--user", o.user)
	}
	for _, f := range []struct{ option, value string }{{"--cacert", o.ca}, {"--cert", o.cert}, {"--key", o.key}, {"--sni", o.serverName}} {
		if f.value == "" {
			continue
		}
		if !slices.Contains(words, "--tls") {
			words = append(words, "--tls")
		}
		words = append(words, f.option, f.value)
	}
	if o.password+o.passwordFile != "" {
		note = passwordNote
	}
	words = append(append(append([]string{"redis-cli"}, words...), "-e"), args...)
	for i, w := range words {
		words[i] = shellQuote(w)
	}
	return strings.Join(words, " "), note
}

const passwordNote = "put the password into the variable REDISCLI_AUTH first"

// redisCLIOptions turns a Redis URL into options of redis-cli.
func redisCLIOptions(redisURL string) (opts []string, note string) {
	scheme, rest, ok := strings.Cut(redisURL, "://")
	if !ok {
		scheme, rest = "redis", redisURL
	}
	// A comma list of addresses is no URL: the first will do for redis-cli.
	first, tail, many := strings.Cut(rest, ",")
	if many {
		if i := strings.IndexAny(tail, "/?"); i >= 0 {
			first += tail[i:]
		}
	}
	u, err := url.Parse(scheme + "://" + first)
	if err != nil {
		return nil, "the Redis URL could not be read: add -h and -p by hand"
	}
	opts = append(opts, addressOptions(u, scheme)...)
	if strings.HasPrefix(scheme, "redis+cluster") {
		opts = append(opts, "-c")
	}
	if strings.HasPrefix(scheme, "rediss") {
		opts = append(opts, "--tls")
	}
	if user := u.User.Username(); user != "" {
		opts = append(opts, "--user", user)
	}
	switch _, secret := u.User.Password(); {
	case strings.HasPrefix(scheme, "redis+sentinel"):
		note = "the address is a Sentinel's: use the master's instead"
	case secret:
		note = passwordNote
	}
	return opts, note
}

func addressOptions(u *url.URL, scheme string) (opts []string) {
	if scheme == "unix" {
		opts = append(opts, "-s", u.Host+u.Path)
		if db := u.Query().Get("db"); db != "" && db != "0" {
			opts = append(opts, "-n", db)
		}
		return opts
	}
	host, port, err := net.SplitHostPort(u.Host)
	if err != nil {
		host, port = strings.Trim(u.Host, "[]"), "6379"
	}
	if host != "" && host != "127.0.0.1" && host != "localhost" {
		opts = append(opts, "-h", host)
	}
	if port != "6379" {
		opts = append(opts, "-p", port)
	}
	if db := strings.Trim(u.Path, "/"); db != "" && db != "0" {
		opts = append(opts, "-n", db)
	}
	return opts
}
