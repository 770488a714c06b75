// Package handlers lists the types of handlers that redpoll brings along. Each
// lives in a package of its own below this one.
package handlers

import (
	"log/slog"
	"os"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/handlers/alertmanager"
	"github.com/redpoll/redpoll/pkg/handlers/influx"
	"github.com/redpoll/redpoll/pkg/handlers/internal/tools"
	"github.com/redpoll/redpoll/pkg/handlers/log"
	"github.com/redpoll/redpoll/pkg/handlers/pagertree"
	"github.com/redpoll/redpoll/pkg/handlers/remotewrite"
	"github.com/redpoll/redpoll/pkg/handlers/rrdcached"
	"github.com/redpoll/redpoll/pkg/handlers/statsd"
	"github.com/redpoll/redpoll/pkg/handlers/webhook"
)

// Tools are what a worker lends its handlers: a log, and Secrets.
type Tools = tools.Tools

// Builtin gives the types of handlers with default tools. The map is new for
// every caller, who may add to it.
func Builtin() check.Handlers { return BuiltinWith(Tools{}) }

// BuiltinWith gives the types of handlers with a worker's tools. The map is
// new for every caller, who may add to it.
func BuiltinWith(t Tools) check.Handlers {
	if t.Log == nil {
		t.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	return check.Handlers{
		"alertmanager": check.TypedHandler(alertmanager.Defaults(), alertmanager.New(t)),
		"influx":       check.TypedHandler(influx.Defaults(), influx.New(t)),
		"log":          check.TypedHandler(log.Defaults(), log.New(t.Log)),
		"pagertree":    check.TypedHandler(pagertree.Defaults(), pagertree.New(t)),
		"remote_write": check.TypedHandler(remotewrite.Defaults(), remotewrite.New(t)),
		"rrdcached":    check.TypedHandler(rrdcached.Defaults(), rrdcached.New(t)),
		"statsd":       check.TypedHandler(statsd.Defaults(), statsd.New(t)),
		"webhook":      check.TypedHandler(webhook.Defaults(), webhook.New(t)),
	}
}
