package cli

import (
	"context"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// rolesPage is where the users of redpoll are.
const rolesPage = "deploy/redis/users.acl, docs/security.md"

// soon is how long before their end certificates are told of.
const soon = 14 * 24 * time.Hour

// transport looks at how the way to Redis is guarded.
func (d *doctor) transport() {
	switch {
	case redisqueue.InClear(d.app.redisURL(), d.app.security()):
		d.warn("transport", advice{"passwords and checks go to Redis in clear text, and who can write to Redis chooses what workers run", "rediss:// and --redis-ca, where the network is not yours alone"},
			"no TLS to Redis on another host")
	case redisqueue.OnThisHost(d.app.redisURL()):
		d.ok("transport", "Redis is on this host")
	default:
		d.ok("transport", "TLS")
	}
}

// certificates looks for those that end soon.
func (d *doctor) certificates(ctx context.Context) {
	list, err := redisqueue.Certificates(ctx, d.app.redisURL(), d.app.security())
	if err != nil {
		d.warn("certificate", advice{"that server cannot be reached", redisqueue.Explain(err)}, "%s", errText(err))
	}
	now := time.Now()
	for _, c := range list {
		left := c.Until.Sub(now)
		until := c.Until.UTC().Format(time.RFC3339)
		switch {
		case left <= 0:
			d.bad("certificate", advice{"nobody can connect anew", "renew it: connections take new files without a restart"}, "%s: ended on %s", c.Of, until)
		case left < soon:
			d.warn("certificate", advice{"nobody can connect anew then", "renew it: connections take new files without a restart"}, "%s: ends in %s, on %s", c.Of, roughly(left), until)
		default:
			d.ok("certificate", "%s: good until %s%s", c.Of, until, versionText(c.Version))
		}
	}
}

func versionText(v string) string {
	if v == "" {
		return ""
	}
	return ", " + v
}

func (d *doctor) sentinelClients() (map[string]*redis.SentinelClient, string, error) {
	return redisqueue.Sentinels(d.app.redisURL(), d.app.security())
}

// user tells as whom we speak to Redis, and whether a password goes with it.
func (a *app) user() (name string, password bool) {
	sec := a.security()
	name, password = sec.Username, sec.Password != "" || sec.PasswordFile != ""
	rest := a.redisURL()[strings.Index(a.redisURL(), "://")+3:]
	if at := strings.LastIndex(rest, "@"); at >= 0 {
		user, secret, _ := strings.Cut(rest[:at], ":")
		if name == "" {
			if plain, err := url.PathUnescape(user); err == nil {
				name = plain
			}
		}
		password = password || secret != ""
	}
	if name == "" {
		name = "default"
	}
	return name, password
}

// mayAll tells whether it makes sense to ask what only administrators may.
func (d *doctor) mayAll() bool {
	name, _ := d.app.user()
	return d.all || name == "default"
}

// rights looks at who we are and who may do what.
func (d *doctor) rights(ctx context.Context) {
	name, password := d.app.user()
	local := redisqueue.OnThisHost(d.app.redisURL())
	roles := advice{"whoever has its password may change and delete everything", "users for each role: " + rolesPage}
	switch {
	case name != "default":
		d.ok("user", "we are %s", name)
	case !password && local && d.open(ctx):
		d.bad("user", advice{"whoever reaches this host chooses what workers run", "CONFIG SET protected-mode yes, or bind 127.0.0.1 in redis.conf; for other hosts users with passwords: " + rolesPage},
			"Redis asks for no password and answers to other hosts")
	case !password && !local:
		d.bad("user", advice{"whoever reaches Redis chooses what workers run", "users with passwords: " + rolesPage}, "Redis asks for no password")
	case !password:
		d.ok("user", "Redis asks for no password: whoever can log in to this host rules the fleet")
	case local:
		d.ok("user", "one password for everything")
	default:
		d.warn("user", roles, "one user for everything")
	}
	if !d.mayAll() {
		d.skip("users", "call it as an administrator, or with --all", "not looked at: what others may do")
		return
	}
	list, err := d.conn.Client().Do(ctx, "ACL", "LIST").StringSlice()
	if err != nil {
		if !strings.Contains(err.Error(), "unknown command") && !strings.Contains(err.Error(), "not supported") {
			d.unlooked("users", err)
		}
		return
	}
	d.users(ctx, list, local)
}

// open tells that Redis answers those who come from other hosts.
func (d *doctor) open(ctx context.Context) bool {
	have := map[string]string{}
	for _, name := range []string{"protected-mode", "bind", "port", "tls-port"} {
		value, err := d.conn.Client().ConfigGet(ctx, name).Result()
		if err != nil {
			return false // the embedded Redis, or a user who may not ask
		}
		have[name] = value[name]
	}
	return answersOthers(have)
}

// answersOthers reads the settings of a Redis without a password: it listens
// beyond its own host, and its protected mode is off.
func answersOthers(have map[string]string) bool {
	if have["protected-mode"] != "no" || have["port"] == "0" && have["tls-port"] == "0" {
		return false
	}
	addresses := strings.Fields(have["bind"])
	return len(addresses) == 0 || slices.ContainsFunc(addresses, func(a string) bool {
		ip, err := netip.ParseAddr(strings.TrimPrefix(a, "-")) // a dash: no fault when it is not there
		return err != nil || !ip.IsLoopback()
	})
}

// users looks at the list of users.
func (d *doctor) users(ctx context.Context, list []string, local bool) {
	var mighty, known []string
	for _, line := range list {
		words := strings.Fields(line)
		if len(words) < 3 || words[2] != "on" {
			continue
		}
		known = append(known, words[1])
		if slices.Contains(words, "+@all") {
			mighty = append(mighty, words[1])
		}
		if words[1] == "default" && slices.Contains(words, "nopass") && len(list) > 1 {
			how, why := d.bad, "the other users guard nothing"
			if local {
				how = d.warn
			}
			how("users", advice{why, "ACL SETUSER default off, when all programs have users of their own"}, "the user default is open to all")
		}
	}
	if len(list) > 1 {
		d.ok("users", "%s, of whom %s may do everything", count(len(known), "user"), orNobody(many(mighty)))
	}
	for _, role := range redisqueue.Roles() {
		if slices.Contains(known, role) {
			d.role(ctx, role)
		}
	}
}

func orNobody(names string) string {
	if names == "" {
		return "nobody"
	}
	return names
}

// role asks Redis whether a user may do what this redpoll's scripts do.
func (d *doctor) role(ctx context.Context, role string) {
	lane := check.Lane{Zone: check.DefaultZone}
	if lanes, err := d.conn.Lanes(ctx); err == nil && len(lanes) > 0 {
		lane = lanes[0]
	}
	var missing []string
	for _, words := range d.conn.Rights(role, lane) {
		args := []any{"ACL", "DRYRUN", role}
		for _, w := range words {
			args = append(args, w)
		}
		reply, err := d.conn.Client().Do(ctx, args...).Text()
		if err != nil {
			if !strings.Contains(err.Error(), "nknown subcommand") { // older than 7.0
				d.unlooked("users", err)
			}
			return
		}
		if reply != "OK" {
			missing = append(missing, strings.ToLower(strings.Join(words[:min(len(words), 2)], " ")))
		}
	}
	if len(missing) > 0 {
		d.bad("users", advice{"programs of this version fail with NOPERM", "take the line of " + role + " from " + rolesPage + ", then ACL LOAD"},
			"the user %s lacks %s: %s", role, count(len(missing), "right"), many(missing))
		return
	}
	d.ok("users", "the user %s may do what this redpoll needs of it", role)
}
