package conn

import (
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// RespTime adds to g how long the target took. A threshold of 0 is off.
func RespTime(g *check.Grade, took time.Duration, warn, crit check.Duration) {
	state, reason := check.Rule{Warn: seconds(warn), Crit: seconds(crit), Reason: RespTimeExceeded}.Above(took.Seconds())
	if state != check.StateOK {
		g.Add(state, reason, "took "+took.Round(time.Microsecond).String())
	}
}

// GradeCert adds to g how many days a certificate is still valid.
func GradeCert(g *check.Grade, days float64, warn, crit *float64) {
	state, reason := check.Rule{Warn: warn, Crit: crit, Reason: CertExpiring}.Below(days)
	if state != check.StateOK {
		left := time.Duration(days * 24 * float64(time.Hour)).Round(time.Minute)
		g.Add(state, reason, "the certificate is valid for "+left.String())
	}
}

func seconds(d check.Duration) *float64 {
	if d <= 0 {
		return nil
	}
	s := d.D().Seconds()
	return &s
}
