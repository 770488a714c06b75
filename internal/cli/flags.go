package cli

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// The formats of -o.
const (
	formatTable = "table"
	formatWide  = "wide" // a table with more columns, where there are more
	formatJSON  = "json"
	formatJSONL = "jsonl"
	formatYAML  = "yaml"
	formatName  = "name"
)

// options are the settings that every verb has. A flag wins over its variable
// over the default.
type options struct {
	redis         string
	user          string
	password      string // from the environment only: a flag is seen by everybody
	passwordFile  string
	ca, cert, key string
	serverName    string
	// Of the Sentinels themselves; the password is from the environment only.
	sentinelUser, sentinelPassword, sentinelPasswordFile string
	prefix                                               string
	zone                                                 string // empty: not said
	output                                               string
	wide                                                 bool // output was wide: it is table here
	noColor                                              bool
}

// private points the options at a Redis of our own, whatever was set.
func (o *options) private(url string) {
	*o = options{redis: url, prefix: o.prefix, output: o.output, noColor: o.noColor}
}

var (
	zonePattern   = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)
	prefixPattern = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,64}$`)
)

func (a *app) globalFlags(root *cobra.Command) {
	f := root.PersistentFlags()
	f.StringVar(&a.opt.redis, "redis", "redis://127.0.0.1:6379/0", "Redis `URL` (REDPOLL_REDIS, or REDPOLL_REDIS_FILE)")
	f.StringVar(&a.opt.user, "redis-user", "", "Redis `user`, when the URL does not name it (REDPOLL_REDIS_USER)")
	f.StringVar(&a.opt.passwordFile, "redis-password-file", "", "`FILE` with the Redis password (REDPOLL_REDIS_PASSWORD_FILE, or REDPOLL_REDIS_PASSWORD)")
	f.StringVar(&a.opt.ca, "redis-ca", "", "`FILE` with the CA of Redis' certificate (REDPOLL_REDIS_CA)")
	f.StringVar(&a.opt.cert, "redis-cert", "", "`FILE` with our certificate for Redis (REDPOLL_REDIS_CERT)")
	f.StringVar(&a.opt.key, "redis-key", "", "`FILE` with the key of our certificate (REDPOLL_REDIS_KEY)")
	f.StringVar(&a.opt.serverName, "redis-server-name", "", "`name` in Redis' certificate, when it is not the host of --redis (REDPOLL_REDIS_SERVER_NAME)")
	f.StringVar(&a.opt.sentinelUser, "redis-sentinel-user", "", "`user` of the Sentinels themselves (REDPOLL_REDIS_SENTINEL_USER)")
	f.StringVar(&a.opt.sentinelPasswordFile, "redis-sentinel-password-file", "",
		"`FILE` with the password of the Sentinels themselves (REDPOLL_REDIS_SENTINEL_PASSWORD_FILE, or REDPOLL_REDIS_SENTINEL_PASSWORD)")
	f.StringVar(&a.opt.prefix, "prefix", "redpoll", "`prefix` of all Redis keys (REDPOLL_PREFIX)")
	f.StringVar(&a.opt.zone, "zone", "", "`zone` to act on: default \"default\", lists take all (REDPOLL_ZONE)")
	f.StringVarP(&a.opt.output, "output", "o", formatTable, "`format` of the data: table, wide, json, jsonl, yaml or name (REDPOLL_OUTPUT)")
	f.BoolVar(&a.opt.noColor, "no-color", false, "no colours on a terminal (NO_COLOR)")
}

// settings completes the options from the environment and reports everything
// that is wrong with them at once.
func (a *app) settings(cmd *cobra.Command) error {
	f := cmd.Flags()
	var faults []string
	fromEnv := func(flag, name string, into *string) {
		if v := a.Getenv(name); v != "" && !f.Changed(flag) {
			*into = v
		}
	}
	for flag, into := range map[string]*string{
		"redis-user": &a.opt.user, "redis-password": &a.opt.password, "redis-password-file": &a.opt.passwordFile, "redis-ca": &a.opt.ca, "redis-cert": &a.opt.cert, "redis-key": &a.opt.key,
		"redis-server-name": &a.opt.serverName, "redis-sentinel-user": &a.opt.sentinelUser,
		"redis-sentinel-password": &a.opt.sentinelPassword, "redis-sentinel-password-file": &a.opt.sentinelPasswordFile,
		"prefix": &a.opt.prefix, "zone": &a.opt.zone, "output": &a.opt.output,
	} {
		fromEnv(flag, "REDPOLL_"+strings.ToUpper(strings.ReplaceAll(flag, "-", "_")), into)
	}
	if file := a.Getenv("REDPOLL_REDIS_FILE"); file != "" && !f.Changed("redis") {
		text, err := os.ReadFile(file)
		if err != nil {
			faults = append(faults, fmt.Sprintf("REDPOLL_REDIS_FILE: %v", err))
		}
		a.opt.redis = strings.TrimSpace(string(text))
	}
	fromEnv("redis", "REDPOLL_REDIS", &a.opt.redis)
	if a.Getenv("NO_COLOR") != "" {
		a.opt.noColor = true
	}
	formats := []string{formatTable, formatWide, formatJSON, formatJSONL, formatYAML, formatName}
	if !slices.Contains(formats, a.opt.output) {
		faults = append(faults, fmt.Sprintf("output %q: want one of %s", a.opt.output, strings.Join(formats, ", ")))
	}
	if a.opt.output == formatWide {
		a.opt.output, a.opt.wide = formatTable, true
	}
	if a.opt.zone != "" && !zonePattern.MatchString(a.opt.zone) {
		faults = append(faults, fmt.Sprintf("zone %q: want 1 to 32 of a-z, 0-9 and -", a.opt.zone))
	}
	if !prefixPattern.MatchString(a.opt.prefix) {
		faults = append(faults, fmt.Sprintf("prefix %q: want 1 to 64 letters, digits, dots, colons or dashes", a.opt.prefix))
	}
	if len(faults) > 0 {
		return usagef("%s", strings.Join(faults, "\n"))
	}
	return nil
}

// isTerminal says whether the stream is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
