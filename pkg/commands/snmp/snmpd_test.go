package snmp

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands/internal/snmptest"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
)

// TestSnmpd watches the loopback interface of this machine through a real
// agent, by versions 1, 2c and 3.
func TestSnmpd(t *testing.T) {
	t.Parallel()
	d := snmptest.Start(t, "rocommunity public 127.0.0.1\ncreateUser monitor SHA-256 canary-auth-1 AES canary-priv-1\nrouser monitor priv\nsysLocation the cellar\n")
	dir := t.TempDir()
	for name, text := range map[string]string{"auth": "canary-auth-1", "priv": "canary-priv-1", ".targets": "127.0.0.1"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	secrets, err := tools.OpenSecrets(dir)
	if err != nil {
		t.Fatal(err)
	}
	build := factory(tools.Tools{Secrets: secrets})
	const v3 = `"version":3,"user":"monitor","auth_protocol":"sha256","auth_password":{"secret":"auth"},"priv_protocol":"aes","priv_password":{"secret":"priv"}`
	for _, how := range []string{`"version":1`, `"version":"2c"`, `"version":"2c","transport":"tcp"`, v3} {
		cmd, err := build(json.RawMessage(fmt.Sprintf(`{"host":"127.0.0.1","port":%d,%s,"interfaces":"lo","watch":"status,traffic,errors",
			"oids":[{"oid":"1.3.6.1.2.1.1.6.0","name":"location"},{"oid":"1.3.6.1.2.1.11.1.0","name":"snmp_packets"}]}`, d.Port, how)))
		if err != nil {
			t.Fatal(err)
		}
		r := &runner{t: t, cmd: cmd}
		want(t, r.run(), check.StateOK, "")
		r.back(2 * time.Second)
		res := r.run()
		want(t, res, check.StateOK, "")
		metric(t, res, "oper_status.lo", 1)
		if m, _ := res.Metric("location"); m.Str != "the cellar" {
			t.Errorf("%s: location = %+v", how, m)
		}
		for _, name := range []string{"snmp_packets_per_second", "in_octets.lo", "in_bits_per_second.lo", "out_errors_per_second.lo"} {
			if _, ok := res.Metric(name); !ok {
				t.Errorf("%s: no metric %s among %v", how, name, res.Metrics)
			}
		}
		if m, _ := res.Metric("snmp_packets_per_second"); m.Value <= 0 || m.Value > 100 {
			t.Errorf("%s: %v packets per second", how, m.Value)
		}
	}
}
