package canary

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/redpoll/redpoll/internal/peertest"
)

// world is where the checks go.
type world struct {
	checks []spec
	// heard is what 127.0.0.1 was told, strange what 127.0.0.2 was.
	heard, strange *listener
}

// spec is a check of the test.
type spec struct {
	id, command string
	params      map[string]any
}

func (s spec) text(t *testing.T) string {
	t.Helper()
	text, err := json.Marshal(map[string]any{"id": s.id, "command": s.command, "params": s.params, "every": "1h", "timeout": "3s"})
	if err != nil {
		t.Error(err)
	}
	return string(text)
}

func secret(name string) map[string]string { return map[string]string{"secret": name} }

// params are a check's, in pairs.
func params(pairs ...any) map[string]any {
	m := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i].(string)] = pairs[i+1]
	}
	return m
}

func (w *world) add(id, command string, p map[string]any) {
	w.checks = append(w.checks, spec{id, command, p})
}

// newWorld starts targets that fail, lie and talk, and has checks with secrets
// for each.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{heard: &listener{}, strange: &listener{}}
	cert := peertest.NewCert(t, t.TempDir())
	tcp, udp := stranger(t, w.strange)
	w.web(parrot(t, w.heard, tcp), tcp)
	w.snmp(parrotAgent(t, w.heard), listenUDP(t, "127.0.0.1:0", func(b []byte) []byte { return b }), udp)
	w.add("v3-wrong", "snmp", w.v3(snmpd(t)))
	for command, start := range map[string]func(bool) int{
		"postgres": func(secure bool) int {
			if secure {
				return parrotPostgres(t, w.heard, cert.TLS)
			}
			return parrotPostgres(t, w.heard, nil)
		},
		"mysql": func(secure bool) int {
			if secure {
				return parrotMySQL(t, w.heard, cert.TLS)
			}
			return parrotMySQL(t, w.heard, nil)
		},
	} {
		login := func(id, host string, port int, more ...any) {
			w.add(command+"-"+id, command, params(append(more, "host", host, "port", port, "user", "monitor", "password", secret("sql"))...))
		}
		login("plain", "127.0.0.1", start(false))
		login("tls", "127.0.0.1", start(true), "tls", true, "ca", cert.PEM, "server_name", "localhost")
		login("unverified", "127.0.0.1", start(true), "tls", true, "verify_tls", false)
		login("closed", "127.0.0.1", 1)
		login("stranger", "127.0.0.2", tcp)
	}
	return w
}

func (w *world) web(parrot, strange int) {
	here := func(path string) string { return fmt.Sprintf("http://127.0.0.1:%d%s", parrot, path) }
	basic := []any{"user", "monitor", "password", secret("web")}
	bearer := []any{"bearer", secret("web")}
	header := []any{"headers", map[string]any{"X-Token": secret("web")}}
	for kind, login := range map[string][]any{"basic": basic, "bearer": bearer, "header": header} {
		get := func(id, url string, more ...any) {
			w.add("http-"+kind+"-"+id, "http", params(append(append(more, "url", url), login...)...))
		}
		get("json", here("/"), "expect_json", "said == nothing")
		get("body", here("/"), "expect_body", "^nothing$", "expect_headers", map[string]string{"X-Said": "^nothing$"})
		get("packed", here("/?encoding=gzip"), "expect_body", "nothing")
		get("junk", here("/junk"))
		get("head", here("/header"))
		get("away", here("/away"), "redirects", 5, "expect_status", 500)
		get("name", here("/name"), "redirects", 5)
		get("tls", fmt.Sprintf("https://127.0.0.1:%d/", parrot))
		get("closed", "http://127.0.0.1:1/")
		get("stranger", fmt.Sprintf("http://127.0.0.2:%d/", strange))
		get("proxied", fmt.Sprintf("http://127.0.0.1:%d/", strange), "connect", fmt.Sprintf("127.0.0.2:%d", strange))
	}
}

func (w *world) snmp(parrot, echo, strange int) {
	oids := []any{
		map[string]any{"oid": "1.3.6.1.2.1.1.5.0", "name": "name", "crit_values": []string{"x"}},
		map[string]any{"oid": "1.3.6.1.2.1.1.6.0", "name": "place", "up_values": []string{"up"}},
	}
	for version, login := range map[string][]any{"1": {"community", secret("community")}, "2c": {"community", secret("community")}} {
		ask := func(id, host string, port int, more ...any) {
			p := append(append(more, "host", host, "port", port, "version", version, "timeout", "200ms", "retries", 1), login...)
			w.add("snmp"+version+"-"+id, "snmp", params(p...))
		}
		ask("parrot", "127.0.0.1", parrot, "oids", oids)
		ask("iface", "127.0.0.1", parrot, "interfaces", []any{"eth0", 1})
		ask("echo", "127.0.0.1", echo, "oids", oids)
		ask("closed", "127.0.0.1", 1, "oids", oids)
		ask("stranger", "127.0.0.2", strange, "oids", oids)
	}
	w.add("v3-echo", "snmp", w.v3(echo))
	p := w.v3(strange)
	p["host"] = "127.0.0.2"
	w.add("v3-stranger", "snmp", p)
	for host, port := range map[string]int{"127.0.0.1": parrot, "127.0.0.2": strange} {
		device := func() map[string]any {
			return params("host", host, "port", port, "community", secret("community"), "timeout", "200ms", "retries", 0)
		}
		w.add("cisco-"+host, "cisco_resources", device())
		p := device()
		p["pools"] = []int{3}
		w.add("junos-"+host, "junos_subscriber_pools", p)
	}
}

func (w *world) v3(port int) map[string]any {
	return params("host", "127.0.0.1", "port", port, "version", "3", "user", "monitor", "timeout", "300ms", "retries", 1,
		"auth_protocol", "sha256", "auth_password", secret("auth"), "priv_protocol", "aes", "priv_password", secret("priv"),
		"oids", []any{map[string]any{"oid": "1.3.6.1.2.1.1.5.0", "name": "name"}})
}

// snmpd has the user monitor with other passwords.
func snmpd(t *testing.T) (port int) {
	t.Helper()
	return peertest.StartSnmpd(t, "rocommunity moth 127.0.0.1\ncreateUser monitor SHA-256 another-auth AES another-priv\nrouser monitor priv\n")
}
