package snmp

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gosnmp/gosnmp"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands/internal/snmptest"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
)

// benchOIDs are ten counters of the agent itself (SNMPv2-MIB, snmp group).
func benchOIDs() (oids []string) {
	for _, n := range []int{1, 3, 4, 5, 6, 8, 9, 10, 11, 12} {
		oids = append(oids, fmt.Sprintf("1.3.6.1.2.1.11.%d.0", n))
	}
	return oids
}

const benchConfig = "rocommunity public 127.0.0.1\ncreateUser monitor SHA-256 canary-auth-1 AES canary-priv-1\nrouser monitor priv\n"

// ownCPU is what this process has used.
func ownCPU(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// measure runs the loop and reports CPU and pace per check.
func measure(b *testing.B, cpu func(*testing.B) time.Duration, once func()) {
	b.Helper()
	once()
	b.ReportAllocs()
	before, begin := cpu(b), time.Now()
	for b.Loop() {
		once()
	}
	n := float64(b.N)
	b.ReportMetric(float64((cpu(b)-before).Nanoseconds())/1000/n, "cpu-us/check")
	b.ReportMetric(n/time.Since(begin).Seconds(), "checks/s")
}

// BenchmarkCheck is a whole run of the command: ten counters, with their
// rates, and sysUpTime.
func BenchmarkCheck(b *testing.B) {
	d := snmptest.Start(b, benchConfig)
	dir := b.TempDir()
	for name, text := range map[string]string{"auth": "canary-auth-1", "priv": "canary-priv-1", ".targets": "*"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	secrets, err := tools.OpenSecrets(dir)
	if err != nil {
		b.Fatal(err)
	}
	var oids []string
	for i, oid := range benchOIDs() {
		oids = append(oids, fmt.Sprintf(`{"oid":%q,"name":"n%d","crit_max":1e9}`, oid, i))
	}
	for name, how := range map[string]string{
		"v2c":         `"version":"2c"`,
		"v3-authPriv": `"version":3,"user":"monitor","auth_protocol":"sha256","auth_password":{"secret":"auth"},"priv_protocol":"aes","priv_password":{"secret":"priv"}`,
	} {
		b.Run(name, func(b *testing.B) {
			cmd, err := factory(tools.Tools{Secrets: secrets})(json.RawMessage(fmt.Sprintf(`{"host":"127.0.0.1","port":%d,%s,"oids":[%s]}`, d.Port, how, strings.Join(oids, ","))))
			if err != nil {
				b.Fatal(err)
			}
			var last *check.Last
			measure(b, ownCPU, func() {
				res, err := cmd.Run(b.Context(), check.Run{Check: &check.Check{ID: "c"}, Last: last})
				if err != nil || res.State != check.StateOK {
					b.Fatal(res, err)
				}
				if last == nil { // ten seconds ago
					last = &check.Last{Result: res}
					last.At = last.At.Add(-10 * time.Second)
				}
			})
		})
	}
}

// BenchmarkConnectPerCheck is the same GET by the library alone, with a new
// socket for each: what the command is compared with.
func BenchmarkConnectPerCheck(b *testing.B) {
	d := snmptest.Start(b, benchConfig)
	oids := benchOIDs()
	measure(b, ownCPU, func() {
		g := &gosnmp.GoSNMP{Target: "127.0.0.1", Port: uint16(d.Port), Community: "public", Version: gosnmp.Version2c, Timeout: time.Second, MaxOids: 60}
		if err := g.Connect(); err != nil {
			b.Fatal(err)
		}
		if _, err := g.Get(oids); err != nil {
			b.Fatal(err)
		}
		g.Close()
	})
}

// BenchmarkPooled is the same GET by the library alone, over one socket.
func BenchmarkPooled(b *testing.B) {
	d := snmptest.Start(b, benchConfig)
	oids := benchOIDs()
	g := &gosnmp.GoSNMP{Target: "127.0.0.1", Port: uint16(d.Port), Community: "public", Version: gosnmp.Version2c, Timeout: time.Second, MaxOids: 60}
	if err := g.Connect(); err != nil {
		b.Fatal(err)
	}
	defer g.Close()
	measure(b, ownCPU, func() {
		if _, err := g.Get(oids); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkSnmpExporter scrapes the same objects through Prometheus'
// snmp_exporter; its own CPU is counted, that of the client is not.
func BenchmarkSnmpExporter(b *testing.B) {
	path, err := exec.LookPath("prometheus-snmp-exporter")
	if err != nil {
		b.Skip("NOT MEASURED: there is no prometheus-snmp-exporter")
	}
	d := snmptest.Start(b, benchConfig)
	var config strings.Builder
	config.WriteString("bench:\n  version: 2\n  auth:\n    community: public\n  get:\n")
	for _, oid := range benchOIDs() {
		fmt.Fprintf(&config, "    - %s\n", oid)
	}
	config.WriteString("  metrics:\n")
	for i, oid := range benchOIDs() {
		fmt.Fprintf(&config, "    - {name: n%d, oid: %s, type: counter, help: one of ten}\n", i, strings.TrimSuffix(oid, ".0"))
	}
	file := filepath.Join(b.TempDir(), "snmp.yml")
	if err := os.WriteFile(file, []byte(config.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	exporter := exec.Command(path, "--config.file="+file, "--web.listen-address="+addr, "--log.level=error")
	if err := exporter.Start(); err != nil {
		b.Fatal(err)
	}
	defer exporter.Wait()
	defer exporter.Process.Kill()

	url := fmt.Sprintf("http://%s/snmp?module=bench&target=127.0.0.1:%d", addr, d.Port)
	scrape := func() (string, error) {
		r, err := http.Get(url)
		if err != nil {
			return "", err
		}
		defer r.Body.Close()
		text, err := io.ReadAll(r.Body)
		return string(text), err
	}
	for end := time.Now().Add(10 * time.Second); ; <-time.After(50 * time.Millisecond) {
		text, err := scrape()
		if err == nil && strings.Contains(text, "\nn9 ") {
			break
		}
		if time.Now().After(end) {
			b.Fatalf("the exporter does not answer: %v\n%s", err, text)
		}
	}
	measure(b, func(b *testing.B) time.Duration { return processCPU(b, exporter.Process.Pid) }, func() {
		if _, err := scrape(); err != nil {
			b.Fatal(err)
		}
	})
}

// processCPU is what another process has used, in steps of 10 ms.
func processCPU(b *testing.B, pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	var sum int
	for _, f := range fields[11:13] { // utime and stime of proc(5), counted from the state
		n, err := strconv.Atoi(f)
		if err != nil {
			b.Fatal(err)
		}
		sum += n
	}
	return time.Duration(sum) * 10 * time.Millisecond
}
