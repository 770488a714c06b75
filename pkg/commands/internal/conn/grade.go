package conn

import (
	"fmt"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// RespTime adds to g how long the target took. A threshold of 0 is off.
func RespTime(g *check.Grade, took time.Duration, warn, crit check.Duration) {
	state, reason := check.Rule{Warn: seconds(warn), Crit: seconds(crit), Reason: RespTimeExceeded}.Above(took.Seconds())
	if state == check.StateOK {
		return
	}
	limit := warn
	if state == check.StateCrit {
		limit = crit
	}
	g.Add(state, reason, "took "+took.Round(time.Microsecond).String()+", want at most "+limit.String())
}

// GradeCert adds to g how many days a certificate is still valid.
func GradeCert(g *check.Grade, days float64, warn, crit *float64) {
	state, reason := check.Rule{Warn: warn, Crit: crit, Reason: CertExpiring}.Below(days)
	if state != check.StateOK {
		text := fmt.Sprintf("the certificate is valid for %.1f days", days)
		if days < 0 {
			text = fmt.Sprintf("the certificate ended %.1f days ago", -days)
		}
		g.Add(state, reason, text)
	}
}

func seconds(d check.Duration) *float64 {
	if d <= 0 {
		return nil
	}
	s := d.D().Seconds()
	return &s
}
