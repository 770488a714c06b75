package snmptest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gosnmp/gosnmp"

	"github.com/redpoll/redpoll/internal/porttest"
)

// Snmpd is a net-snmp agent that a test started for itself.
type Snmpd struct {
	Port int

	dir string
	cmd *exec.Cmd
}

// Start starts an snmpd with a configuration of its own on a free port of the
// loopback interface, UDP and TCP. It stops with the test. Where there is no
// snmpd the test is skipped, or fails if REDPOLL_TEST_SERVERS=required. The
// configuration must let the community public read.
func Start(t testing.TB, config string) *Snmpd {
	t.Helper()
	path, err := exec.LookPath("snmpd")
	if err != nil {
		path = "/usr/sbin/snmpd" // not in the PATH of ordinary users
		if _, err := os.Stat(path); err != nil {
			if os.Getenv("REDPOLL_TEST_SERVERS") == "required" {
				t.Fatal("there is no snmpd and REDPOLL_TEST_SERVERS=required")
			}
			t.Skip("NOT TESTED against a real agent: there is no snmpd (apt-get install snmpd)")
		}
	}
	s := &Snmpd{dir: t.TempDir()}
	file := filepath.Join(s.dir, "test.conf") // snmpd.conf is snmpd's own in this place
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	for range 3 { // somebody may take the port first
		s.Port = porttest.Free(t)
		args := []string{path, "-f", "-Lf", filepath.Join(s.dir, "log"), "-C", "-c", file, "-r",
			fmt.Sprintf("udp:127.0.0.1:%d", s.Port), fmt.Sprintf("tcp:127.0.0.1:%d", s.Port)}
		s.run(t, args, append(os.Environ(), "SNMP_PERSISTENT_DIR="+s.dir, "MIBS=", "SNMPCONFPATH="+s.dir))
		if s.answers() {
			return s
		}
		s.Stop()
	}
	t.Fatalf("snmpd does not answer; it says:\n%s", s.log())
	return nil
}

func (s *Snmpd) run(t testing.TB, args, env []string) {
	t.Helper()
	s.cmd = &exec.Cmd{Path: args[0], Args: args, Env: env, SysProcAttr: &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
}

// log gives what the agent said first.
func (s *Snmpd) log() string {
	text, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if err != nil {
		return err.Error()
	}
	return string(text[:min(len(text), 2000)])
}

// Stop ends the agent.
func (s *Snmpd) Stop() {
	if s.cmd != nil {
		s.cmd.Process.Kill()
		s.cmd.Wait()
		s.cmd = nil
	}
}

// Restart ends the agent and starts it again on the same port; fresh forgets
// its engine first, so that version 3 meets another one.
func (s *Snmpd) Restart(t testing.TB, fresh bool) {
	t.Helper()
	args, env := s.cmd.Args, s.cmd.Env
	s.Stop()
	if fresh {
		other := t.TempDir()
		for i := range env {
			env[i] = strings.Replace(env[i], "SNMP_PERSISTENT_DIR="+s.dir, "SNMP_PERSISTENT_DIR="+other, 1)
		}
	}
	s.run(t, args, env)
	if !s.answers() {
		t.Fatalf("snmpd does not answer after its restart; it says:\n%s", s.log())
	}
}

// answers waits until the agent answers.
func (s *Snmpd) answers() bool {
	g := &gosnmp.GoSNMP{Target: "127.0.0.1", Port: uint16(s.Port), Community: "public", Version: gosnmp.Version2c, Timeout: 50 * time.Millisecond, MaxOids: 60}
	if err := g.Connect(); err != nil {
		return false
	}
	defer g.Close()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		if _, err := g.Get([]string{"1.3.6.1.2.1.1.3.0"}); err == nil {
			return true
		}
		<-time.After(20 * time.Millisecond) // a refused packet comes back at once
	}
	return false
}
