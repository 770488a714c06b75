// Package commands lists the commands that redpoll brings along. Each lives in
// a package of its own below this one.
package commands

import (
	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands/ciscoresources"
	"github.com/redpoll/redpoll/pkg/commands/dns"
	"github.com/redpoll/redpoll/pkg/commands/http"
	"github.com/redpoll/redpoll/pkg/commands/junospools"
	"github.com/redpoll/redpoll/pkg/commands/mysql"
	"github.com/redpoll/redpoll/pkg/commands/ping"
	"github.com/redpoll/redpoll/pkg/commands/plugin"
	"github.com/redpoll/redpoll/pkg/commands/postgres"
	"github.com/redpoll/redpoll/pkg/commands/smtp"
	"github.com/redpoll/redpoll/pkg/commands/snmp"
	"github.com/redpoll/redpoll/pkg/commands/speedtest"
	"github.com/redpoll/redpoll/pkg/commands/speedtestpp"
	"github.com/redpoll/redpoll/pkg/commands/tcp"
)

// Builtin gives the commands with default tools: what a scheduler needs to
// validate params. The map is new for every caller, who may add to it.
func Builtin() check.Commands { return BuiltinWith(Tools{}) }

// BuiltinWith gives the commands with a worker's tools. What they say is
// redacted: see Tools.Redacting. The map is new for every caller, who may add to
// it.
func BuiltinWith(t Tools) check.Commands {
	list := check.Commands{
		"cisco_resources":        check.Typed(ciscoresources.Defaults(), ciscoresources.New(t)),
		"dns":                    check.Typed(dns.Defaults(), dns.New(t)),
		"http":                   check.Typed(http.Defaults(), http.New(t)),
		"junos_subscriber_pools": check.Typed(junospools.Defaults(), junospools.New(t)),
		"mysql":                  check.Typed(mysql.Defaults(), mysql.New(t)),
		"ping":                   check.Typed(ping.Defaults(), ping.New(t)),
		"plugin":                 check.Typed(plugin.Defaults(), plugin.New(t)),
		"postgres":               check.Typed(postgres.Defaults(), postgres.New(t)),
		"smtp":                   check.Typed(smtp.Defaults(), smtp.New(t)),
		"snmp":                   check.Typed(snmp.Defaults(), snmp.New(t)),
		"speedtest":              check.Typed(speedtest.Defaults(), speedtest.New(t)),
		"speedtestpp":            check.Typed(speedtestpp.Defaults(), speedtestpp.New(t)),
		"tcp":                    check.Typed(tcp.Defaults(), tcp.New(t)),
	}
	for name, factory := range list {
		list[name] = t.Redacting(factory)
	}
	return list
}
