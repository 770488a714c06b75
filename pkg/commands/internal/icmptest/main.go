//go:build linux

// Package icmptest gives the tests of ICMP a network of their own: three
// namespaces, a router between two of them, and a target that misbehaves.
//
//	tests --- router --- target
//
// Only tests import it. It needs Linux, ip of iproute2, and root or user
// namespaces.
package icmptest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

const (
	roleEnv     = "REDPOLL_ICMPTEST_ROLE" // build, tests, target; not set in the beginning
	requiredEnv = "REDPOLL_TEST_NETNS"    // "required": no namespaces, no tests
)

// Main is a package's TestMain: it runs the tests again inside of a network
// namespace. Where that is not permitted it says so and runs them outside,
// without those that call Need.
func Main(m *testing.M) {
	switch os.Getenv(roleEnv) {
	case "build":
		os.Exit(inside(m))
	case "tests": // a process that a test has started
		os.Exit(m.Run())
	case "target":
		os.Exit(target())
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), roleEnv+"=build")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = isolation()
	err := cmd.Start()
	if err != nil {
		fmt.Fprintf(os.Stderr, "icmptest: NO NETWORK NAMESPACES HERE, tests that need them are skipped: %v\n", err)
		if os.Getenv(requiredEnv) == "required" {
			os.Exit(1)
		}
		os.Exit(m.Run())
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		os.Exit(exit.ExitCode())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "icmptest:", err)
		os.Exit(1)
	}
}

// isolation is a new network namespace; who is not root becomes it in a user
// namespace.
func isolation() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if os.Getuid() != 0 {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	return attr
}

// inside runs the tests in the namespace.
func inside(m *testing.M) int {
	stop, err := build()
	if err != nil {
		fmt.Fprintln(os.Stderr, "icmptest: the network of the tests:", err)
		return 1
	}
	defer stop()
	os.Setenv(roleEnv, "tests")
	return m.Run()
}

// Need skips a test, loudly, where there is no network of its own.
func Need(t testing.TB) {
	t.Helper()
	if os.Getenv(roleEnv) != "tests" {
		t.Skip("SKIPPED: needs network namespaces (root or user namespaces)")
	}
}
