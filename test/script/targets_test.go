package script

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"golang.org/x/net/icmp"

	"github.com/redpoll/redpoll/internal/peertest"
)

// target starts what the checks of a script measure and gives variables for it.
type target func(t *testing.T, script *txtar.Archive) map[string]string

// targets has one for each command.
var targets = map[string]target{
	"cisco_resources":        snmpd,
	"dns":                    nameServer,
	"http":                   webServer,
	"junos_subscriber_pools": snmpd,
	"mysql":                  mariadb,
	"ping":                   echo,
	"plugin":                 nothing,
	"postgres":               postgres,
	"smtp":                   mailServer,
	"snmp":                   snmpd,
	"speedtest":              nothing,
	"speedtestpp":            nothing,
	"tcp":                    greeter,
}

func nothing(*testing.T, *txtar.Archive) map[string]string { return map[string]string{} }

func portVars(port int) map[string]string { return map[string]string{"TARGET": strconv.Itoa(port)} }

// file gives the text of a file of the script.
func file(t *testing.T, script *txtar.Archive, name string) string {
	t.Helper()
	for _, f := range script.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	t.Fatalf("the script has no file %s", name)
	return ""
}

// snmpd answers as the script's snmpd.conf says.
func snmpd(t *testing.T, script *txtar.Archive) map[string]string {
	return portVars(peertest.StartSnmpd(t, file(t, script, "snmpd.conf")))
}

// nameServer has the zone example.test of the script's file of that name.
func nameServer(t *testing.T, script *txtar.Archive) map[string]string {
	return portVars(peertest.StartBind(t, map[string]string{"example.test": file(t, script, "example.test")}).Port)
}

func mariadb(t *testing.T, script *txtar.Archive) map[string]string {
	s := peertest.StartMariaDB(t, file(t, script, "init.sql"))
	return map[string]string{"TARGET": strconv.Itoa(s.Port), "PASSWORD": s.Password}
}

func postgres(t *testing.T, _ *txtar.Archive) map[string]string {
	s := peertest.StartPostgres(t)
	return map[string]string{"TARGET": strconv.Itoa(s.Port), "PASSWORD": s.Password}
}

// webServer greets who has the right name and password.
func webServer(t *testing.T, _ *txtar.Archive) map[string]string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); r.URL.Path == "/private" && (user != "monitor" || password != "open-sesame") {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"status":"ok","orders":3}`)
	}))
	t.Cleanup(s.Close)
	return portVars(s.Listener.Addr().(*net.TCPAddr).Port)
}

// serve gives each connection to talk.
func serve(t *testing.T, talk func(net.Conn)) map[string]string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer nc.Close()
				talk(nc)
			}()
		}
	}()
	return portVars(l.Addr().(*net.TCPAddr).Port)
}

// greeter says something first.
func greeter(t *testing.T, _ *txtar.Archive) map[string]string {
	return serve(t, func(nc net.Conn) { _, _ = io.WriteString(nc, "SSH-2.0-target\r\n") })
}

// mailServer knows EHLO and QUIT.
func mailServer(t *testing.T, _ *txtar.Archive) map[string]string {
	return serve(t, func(nc net.Conn) {
		_, _ = io.WriteString(nc, "220 mail.example.test ESMTP\r\n")
		for lines := bufio.NewScanner(nc); lines.Scan(); {
			switch verb, name, _ := strings.Cut(lines.Text(), " "); verb {
			case "EHLO":
				_, _ = fmt.Fprintf(nc, "250-mail.example.test greets %s\r\n250 SIZE 1000\r\n", name)
			case "QUIT":
				_, _ = io.WriteString(nc, "221 bye\r\n")
				return
			default:
				_, _ = io.WriteString(nc, "500 what?\r\n")
			}
		}
	})
}

// echo is the machine itself, where it lets us send echo requests.
func echo(t *testing.T, _ *txtar.Archive) map[string]string {
	for _, network := range []string{"udp4", "ip4:icmp"} {
		if c, err := icmp.ListenPacket(network, "127.0.0.1"); err == nil {
			_ = c.Close()
			return map[string]string{}
		}
	}
	if os.Getenv("REDPOLL_TEST_NETNS") == "required" {
		t.Fatal("this user may not open ICMP sockets")
	}
	t.Skip("SKIPPED, PING WAS NOT TESTED: this user may not open ICMP sockets (net.ipv4.ping_group_range)")
	return nil
}
