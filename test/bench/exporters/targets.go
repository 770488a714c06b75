package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// children are the processes of a run, stopped at its end.
type children struct {
	dir  string
	list []*exec.Cmd
}

func (c *children) stop() {
	for _, cmd := range c.list {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	_ = os.RemoveAll(c.dir)
}

func (c *children) start(path string, args ...string) (*exec.Cmd, error) {
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), "SNMP_PERSISTENT_DIR="+c.dir, "SNMPCONFPATH="+c.dir, "MIBS=")
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c.list = append(c.list, cmd)
	return cmd, nil
}

// write makes a file and gives its path.
func (c *children) write(name, text string) string {
	path := filepath.Join(c.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		panic(err) // the directory is ours and new
	}
	return path
}

// contests starts the targets and the exporters. stop is never nil.
func contests() (list []contest, stop func(), err error) {
	c := &children{}
	if c.dir, err = os.MkdirTemp("", "redpoll-bench"); err != nil {
		return nil, c.stop, err
	}
	snmpd, err := c.snmpd()
	if err != nil {
		return nil, c.stop, err
	}
	web, dns, err := c.targets()
	if err != nil {
		return nil, c.stop, err
	}
	snmpURL, snmpPID, err := c.snmpExporter()
	if err != nil {
		return nil, c.stop, err
	}
	blackbox, blackboxPID, err := c.blackbox()
	if err != nil {
		return nil, c.stop, err
	}
	var objects []string
	for i, oid := range oids() {
		objects = append(objects, fmt.Sprintf(`{"oid":%q,"name":"n%d","crit_max":1e9}`, oid, i))
	}
	list = []contest{
		{
			name: "snmp", command: "snmp", bar: 0.12, pid: snmpPID,
			params: fmt.Sprintf(`{"host":"127.0.0.1","port":%d,"oids":[%s]}`, snmpd, strings.Join(objects, ",")),
			url:    fmt.Sprintf("%s/snmp?module=bench&target=127.0.0.1:%d", snmpURL, snmpd), good: "snmp_scrape_pdus_returned 10",
		},
		{
			name: "http", command: "http", bar: 0.3, pid: blackboxPID,
			params: fmt.Sprintf(`{"url":"http://127.0.0.1:%d/"}`, web),
			url:    fmt.Sprintf("%s/probe?module=web&target=http://127.0.0.1:%d/", blackbox, web), good: "probe_success 1",
		},
		{
			name: "dns", command: "dns", bar: 0.12, pid: blackboxPID,
			params: fmt.Sprintf(`{"server":"127.0.0.1","port":%d,"name":"www.example.test","expect":["192.0.2.10"]}`, dns),
			url:    fmt.Sprintf("%s/probe?module=name&target=127.0.0.1:%d", blackbox, dns), good: "probe_success 1",
		},
	}
	for _, x := range list {
		if err := within(20*time.Second, x.theirRun()); err != nil {
			return nil, c.stop, fmt.Errorf("%s: %w", x.name, err)
		}
	}
	return list, c.stop, nil
}

// within tries until f gives no error.
func within(d time.Duration, f func() error) error {
	for end := time.Now().Add(d); ; time.Sleep(50 * time.Millisecond) {
		err := f()
		if err == nil || time.Now().After(end) {
			return err
		}
	}
}

// oids are ten counters of the agent itself.
func oids() (list []string) {
	for _, n := range []int{1, 3, 4, 5, 6, 8, 9, 10, 11, 12} {
		list = append(list, fmt.Sprintf("1.3.6.1.2.1.11.%d.0", n))
	}
	return list
}

func (c *children) snmpd() (port int, err error) {
	port = freePort()
	_, err = c.start("/usr/sbin/snmpd", "-f", "-Lf", filepath.Join(c.dir, "snmpd.log"), "-r", "-C",
		"-c", c.write("agent.conf", "rocommunity public 127.0.0.1\n"), fmt.Sprintf("udp:127.0.0.1:%d", port))
	return port, err
}

// targets starts this program again, as what is probed.
func (c *children) targets() (web, dns int, err error) {
	self, err := os.Executable()
	if err != nil {
		return 0, 0, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return 0, 0, err
	}
	cmd := exec.Command(self, "targets")
	cmd.Stdout, cmd.Stderr = w, os.Stderr
	if err := cmd.Start(); err != nil {
		return 0, 0, err
	}
	c.list = append(c.list, cmd)
	_ = w.Close()
	_, err = fmt.Fscan(bufio.NewReader(r), &web, &dns)
	return web, dns, err
}

func (c *children) snmpExporter() (url string, pid int, err error) {
	var config strings.Builder
	config.WriteString("bench:\n  version: 2\n  auth:\n    community: public\n  get:\n")
	for _, oid := range oids() {
		fmt.Fprintf(&config, "    - %s\n", oid)
	}
	config.WriteString("  metrics:\n")
	for i, oid := range oids() {
		fmt.Fprintf(&config, "    - {name: n%d, oid: %s, type: counter, help: one of ten}\n", i, strings.TrimSuffix(oid, ".0"))
	}
	return c.exporter("prometheus-snmp-exporter", c.write("snmp.yml", config.String()))
}

func (c *children) blackbox() (url string, pid int, err error) {
	return c.exporter("prometheus-blackbox-exporter", c.write("blackbox.yml", `modules:
  web: {prober: http, timeout: 5s, http: {preferred_ip_protocol: ip4}}
  name:
    prober: dns
    timeout: 5s
    dns: {query_name: www.example.test, query_type: A, preferred_ip_protocol: ip4, validate_answer_rrs: {fail_if_none_matches_regexp: ['.*192\.0\.2\.10']}}
`))
}

func (c *children) exporter(name, config string) (url string, pid int, err error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", 0, fmt.Errorf("%w: apt-get install %s", err, name)
	}
	addr := fmt.Sprintf("127.0.0.1:%d", freePort())
	cmd, err := c.start(path, "--config.file="+config, "--web.listen-address="+addr, "--log.level=error")
	if err != nil {
		return "", 0, err
	}
	return "http://" + addr, cmd.Process.Pid, nil
}

func freePort() int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// serveTargets is the process that is probed: a small page and a name. It
// prints its two ports.
func serveTargets() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr().(*net.TCPAddr).Port, c.LocalAddr().(*net.UDPAddr).Port)
	go answerNames(c)
	page := strings.Repeat("all is well\n", 40)
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, page) }))
}

// answerNames answers every question of a name server with one address.
func answerNames(c net.PacketConn) {
	record := []byte{0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, 10} // the name of the question, A, IN, 300 s
	buf := make([]byte, 4096)
	for {
		n, from, err := c.ReadFrom(buf)
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			continue
		}
		end := bytes.IndexByte(buf[12:n], 0)
		if n < 17 || end < 0 || 12+end+5 > n {
			continue
		}
		answer := append(bytes.Clone(buf[:12+end+5]), record...)
		answer[2], answer[3] = 0x84|buf[2]&1, 0 // an answer with authority
		copy(answer[4:12], []byte{0, 1, 0, 1, 0, 0, 0, 0})
		_, _ = c.WriteTo(answer, from)
	}
}
