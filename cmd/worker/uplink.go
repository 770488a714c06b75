package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands"
	"github.com/redpoll/redpoll/pkg/worker"
)

// uplinkTests makes the self-tests that -uplink names, [ZONE=]host for a ping
// or [ZONE=]tcp:host:port for a connection. The operator's own targets are
// under no deny list.
func uplinkTests(list []string) ([]worker.UplinkTest, error) {
	if len(list) == 0 {
		return nil, nil
	}
	guard, err := commands.NewGuard([]string{"!0.0.0.0/0", "!::/0"})
	if err != nil {
		return nil, err
	}
	builtin := commands.BuiltinWith(commands.Tools{Guard: guard})
	var tests []worker.UplinkTest
	var faults []error
	for _, text := range list {
		zone, target, named := strings.Cut(text, "=")
		if !named {
			zone, target = "", text
		}
		test, err := uplinkTest(builtin, target)
		if err == nil && named && !zoneRule.MatchString(zone) {
			err = fmt.Errorf("zone %q: want 1 to 32 of a-z 0-9 -", zone)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("%q: %w", text, err))
			continue
		}
		tests = append(tests, worker.UplinkTest{Zone: zone, Target: target, Test: test})
	}
	return tests, errors.Join(faults...)
}

// uplinkTest makes the test of one target with the command of its kind.
func uplinkTest(builtin check.Commands, target string) (func(context.Context) error, error) {
	name, params := "ping", map[string]any{"host": target, "count": 1, "timeout": "900ms"}
	if rest, tcp := strings.CutPrefix(target, "tcp:"); tcp {
		host, port, err := net.SplitHostPort(rest)
		if err != nil {
			return nil, errors.New("want tcp:host:port")
		}
		name, params = "tcp", map[string]any{"host": host, "port": port}
	}
	if params["host"] == "" {
		return nil, errors.New("want a host, or tcp:host:port")
	}
	text, err := json.Marshal(params)
	if err != nil {
		return nil, err
	}
	command, err := builtin.Build(name, text)
	if err != nil {
		return nil, err
	}
	c := &check.Check{ID: "uplink", Command: name, Params: text, Timeout: check.Duration(time.Second)}
	return func(ctx context.Context) error {
		res, err := command.Run(ctx, check.Run{Check: c, Planned: time.Now()})
		if err == nil && res.State != check.StateOK {
			err = fmt.Errorf("%s %s", res.Reason, res.Text)
		}
		return err
	}, nil
}
