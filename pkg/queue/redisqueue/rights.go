package redisqueue

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/redpoll/redpoll/pkg/check"
)

// scriptRoles says which users of deploy/redis/users.acl run a script; viewers
// run some that only look then.
var scriptRoles = map[string]string{
	"ack":      "scheduler",
	"adopt":    "scheduler operator",
	"arrive":   "scheduler",
	"bury":     "worker",
	"complete": "worker",
	"consumer": "scheduler worker",
	"depart":   "scheduler",
	"dispatch": "scheduler",
	"downtime": "scheduler",
	"drop":     "scheduler",
	"fetch":    "worker",
	"forget":   "scheduler",
	"freeze":   "scheduler",
	"hold":     "worker",
	"lease":    "worker",
	"lock":     "scheduler",
	"log":      "scheduler",
	"measure":  "scheduler",
	"orphan":   "scheduler operator",
	"plant":    "scheduler",
	"raise":    "scheduler worker",
	"reader":   "worker",
	"release":  "worker",
	"remove":   "scheduler",
	"renew":    "worker",
	"repair":   "scheduler operator viewer",
	"replace":  "scheduler",
	"resend":   "operator",
	"run":      "scheduler",
	"settle":   "worker",
	"shed":     "scheduler",
	"sweep":    "scheduler operator viewer",
	"zone":     "scheduler operator",
}

// Viewer is the role that changes nothing.
const Viewer = "viewer"

// ownRights are the commands that programs of a role send themselves. The
// names in braces stand for keys.
var ownRights = map[string]string{
	"scheduler": "INFO;TIME;HGET {meta} f;HSETNX {meta} f v;HGETALL {zones};HEXISTS {zones} f;HSETNX {zones} f v;HGETALL {workers};HDEL {workers} f;" +
		"XGROUP CREATE {ready} g 0;XGROUP CREATE {intake} g 0;XREADGROUP GROUP g c STREAMS {intake} >;XACK {intake} g 1-1;XDEL {intake} 1-1;" +
		"ZCOUNT {due} 0 1;XLEN {ready};XPENDING {ready} g;XINFO CONSUMERS {ready} g;HSCAN {specs} 0;HSCAN {runs} 0;ZSCAN {due} 0;HMGET {specs} f;HDEL {incidents} f;" +
		"HSET {meta} f v;HGET {zones} f;WAIT 1 1;HMGET {runs} f;HLEN {specs};ZCARD {due};HLEN {incidents};HMGET {incidents} f;HSCAN {incidents} 0;HSETNX {incidents} f v;" +
		"HSETNX {specs} f v;XREVRANGE {changes} + -;XINFO GROUPS {changes};" +
		"UNLINK {ready};UNLINK {runs};UNLINK {last};UNLINK {incidents};UNLINK {results};UNLINK {changes};UNLINK {readers};UNLINK {dead}",
	"worker": "INFO;TIME;HGET {meta} f;HGETALL {zones};HGETALL {downtimes};HSET {workers} f v;HDEL {workers} f;XGROUP CREATE {ready} g 0;XREADGROUP GROUP g c STREAMS {ready} >;" +
		"XPENDING {ready} g;XRANGE {ready} - +;XACK {ready} g 1-1;HMGET {last} f;HMGET {specs} f;HSTRLEN {specs} f;XREAD STREAMS {changes} 0",
	"producer": "XADD {intake} * f v;XRANGE {intake:log} - +;XREVRANGE {intake:log} + -;XREAD STREAMS {intake:log} 0",
	Viewer: "INFO;TIME;HGETALL {zones};HGETALL {downtimes};HGETALL {workers};HGET {meta} f;HMGET {specs} f;HSCAN {specs} 0;HMGET {runs} f;ZRANGE {due} 0 1;ZSCORE {due} m;XLEN {ready};" +
		"XINFO GROUPS {ready};XINFO STREAM {results};XRANGE {results} - +;XREVRANGE {results} + -;XREAD STREAMS {results} 0;HSCAN {incidents} 0;TYPE {due};EXISTS {intake:lock}",
	"operator": "INFO;TIME;HGETALL {zones};HGETALL {workers};HGET {meta} f;HSET {meta} f v;HLEN {specs};HMGET {runs} f;XADD {intake} * f v;XREAD STREAMS {intake:log} 0;HSCAN {specs} 0;HSCAN {incidents} 0;XRANGE {results} - +",
	"keda":     "INFO;XLEN {ready};XPENDING {ready} g;XINFO GROUPS {ready}",
}

// Roles are the users of deploy/redis/users.acl, in order.
func Roles() []string {
	return []string{"scheduler", "worker", "producer", Viewer, "operator", "keda"}
}

// Rights lists the commands that the user of a role must be allowed, each as
// the words of one call on keys of the lane: what ACL DRYRUN takes. They are
// read out of the scripts.
func (q *Queue) Rights(role string, lane check.Lane) [][]string {
	var out [][]string
	for own := range strings.SplitSeq(ownRights[role], ";") {
		words := strings.Fields(own)
		for i, w := range words {
			if strings.HasPrefix(w, "{") {
				words[i] = q.keyNamed(lane, strings.Trim(w, "{}"))
			}
		}
		out = append(out, words)
	}
	for _, name := range scripts() {
		if slices.Contains(strings.Fields(scriptRoles[name]), role) {
			out = append(out, q.scriptRights(name, role, lane)...)
		}
	}
	slices.SortFunc(out, slices.Compare)
	return slices.CompactFunc(out, slices.Equal)
}

// scripts lists all scripts but the prelude.
func scripts() []string {
	files, err := luaFiles.ReadDir("lua")
	if err != nil {
		panic(err) // the folder is part of the binary
	}
	var names []string
	for _, f := range files {
		if name := strings.TrimSuffix(f.Name(), path.Ext(f.Name())); name != "prelude" {
			names = append(names, name)
		}
	}
	return names
}

// scriptRights are the rights that one script needs.
func (q *Queue) scriptRights(name, role string, lane check.Lane) [][]string {
	header, body := splitScript(name)
	eval := []string{"EVALSHA", "x", strconv.Itoa(len(header))}
	for _, key := range header {
		eval = append(eval, q.scriptKey(name, key, lane))
	}
	out := [][]string{eval}
	for _, c := range scriptCalls(header, body) {
		if role == Viewer && writes(c.command) {
			continue
		}
		words := strings.Fields(c.command + " " + callForms[c.command])
		for i, w := range words {
			if w == "KEY" {
				words[i] = q.scriptKey(name, c.key, lane)
			}
		}
		out = append(out, words)
	}
	return out
}

// scriptKey gives the key that stands as name in the header of a script.
func (q *Queue) scriptKey(script, name string, lane check.Lane) string {
	if script == "lock" || script == "log" {
		name = "intake:" + name
	}
	return q.keyNamed(lane, name)
}

func (q *Queue) keyNamed(lane check.Lane, name string) string {
	switch name {
	case "intake", "intake:log", "intake:lock", "zones", "workers", "meta", "downtimes":
		return q.prefix + ":" + name
	case "deliver":
		name = "deliver:handler"
	}
	return q.laneKey(lane, name)
}

// callForms are what scripts call in Redis: what stands behind the command, with
// KEY for the key. All that matters is that Redis knows the command by them.
var callForms = map[string]string{
	"DEL": "KEY", "EXISTS": "KEY", "GET": "KEY", "PTTL": "KEY", "PEXPIRE": "KEY 1", "SET": "KEY v PX 1", "TYPE": "KEY", "TIME": "",
	"HDEL": "KEY f", "HEXISTS": "KEY f", "HGET": "KEY f", "HMGET": "KEY f", "HSET": "KEY f v", "HSETNX": "KEY f v", "HLEN": "KEY",
	"XACK": "KEY g 1-1", "XADD": "KEY * f v", "XDEL": "KEY 1-1", "XGROUP CREATE": "KEY g 0", "XGROUP DELCONSUMER": "KEY g c",
	"XINFO GROUPS": "KEY", "XINFO STREAM": "KEY", "XLEN": "KEY", "XPENDING": "KEY g - + 1", "XRANGE": "KEY - +",
	"XREADGROUP": "GROUP g c STREAMS KEY >", "XTRIM": "KEY MAXLEN 1",
	"ZADD": "KEY 1 m", "ZCARD": "KEY", "ZMSCORE": "KEY m", "ZRANGE": "KEY 0 0", "ZRANGEBYSCORE": "KEY 0 1", "ZREM": "KEY m", "ZSCORE": "KEY m",
}

// writes tells that a command changes something.
func writes(command string) bool {
	return slices.Contains(strings.Fields("DEL HDEL HSET HSETNX PEXPIRE SET XACK XADD XDEL XGROUP XTRIM XREADGROUP ZADD ZREM"), strings.Fields(command)[0])
}

// splitScript takes the names of the keys out of a script's header, and its
// body without comments.
func splitScript(name string) (keys []string, body string) {
	text := luaText(name)
	for _, m := range regexp.MustCompile(`(?m)^-- KEYS\[\d+\] +(\w+)`).FindAllStringSubmatch(text, -1) {
		keys = append(keys, m[1])
	}
	return keys, regexp.MustCompile(`(?m)--.*$`).ReplaceAllString(text, "")
}

// scriptCall is one command of a script, with the script's name for the key.
type scriptCall struct{ command, key string }

// scriptCalls finds what a script calls itself, and what the prelude calls for
// it. A call whose command or key it cannot read has an empty one.
func scriptCalls(keys []string, body string) []scriptCall {
	var found []scriptCall
	for _, key := range keys {
		found = append(found, scriptCall{"TYPE", key})
		if strings.Contains(body, "removing("+key+")") {
			found = append(found, scriptCall{"HDEL", key})
		}
		if strings.Contains(body, "stream_figures("+key+")") {
			found = append(found, scriptCall{"XINFO STREAM", key})
		}
	}
	if strings.Contains(body, "server_ms()") {
		found = append(found, scriptCall{"TIME", ""})
	}
	quoted := regexp.MustCompile(`'([A-Z]+)'`)
	site := regexp.MustCompile(`redis\.p?call\(([^,()]*)(?:, *('[A-Z]+'))?(?:, *([a-z_]+))?`)
	inside := regexp.MustCompile(`^redis\.p?call\([^()]*'STREAMS', *([a-z_]+)`)
	for _, at := range site.FindAllStringSubmatchIndex(body, -1) {
		m := site.FindStringSubmatch(body[at[0]:])
		words := quoted.FindAllStringSubmatch(m[1], -1)
		if len(words) == 0 {
			found = append(found, scriptCall{})
		}
		for _, w := range words {
			c := scriptCall{w[1], m[3]}
			switch c.command {
			case "XGROUP", "XINFO":
				c.command += " " + strings.Trim(m[2], "'")
			case "XREADGROUP":
				c.key = ""
				if in := inside.FindStringSubmatch(body[at[0]:]); in != nil {
					c.key = in[1]
				}
			}
			found = append(found, c)
		}
	}
	return found
}
