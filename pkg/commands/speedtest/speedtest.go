// Package speedtest is the command that measures a line with Ookla's
// speedtest, where the operator of the worker has installed it.
package speedtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands/internal/conn"
	"github.com/redpoll/redpoll/pkg/commands/internal/plugins"
	"github.com/redpoll/redpoll/pkg/commands/internal/speedrun"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
)

// Params are the settings of a check with this command.
type Params struct {
	// Server is the number or the host name of a server; empty: the program
	// chooses.
	Server string `json:"server"`
	speedrun.Thresholds
	// LossWarn and LossCrit bound the loss in percent; nil is off.
	LossWarn *float64 `json:"loss_warn"`
	LossCrit *float64 `json:"loss_crit"`
}

// Defaults are the params of a check that says nothing.
func Defaults() Params { return Params{} }

var number = regexp.MustCompile(`^[0-9]{1,10}$`)

// New makes the command with a worker's tools.
func New(t tools.Tools) func(Params) (check.Command, error) {
	return func(p Params) (check.Command, error) {
		faults := []error{p.Thresholds.Validate()}
		c := &speedrun.Command{
			Tools: t, Name: plugins.Speedtest, Parse: parse, Thresholds: p.Thresholds,
			Args: []string{"--format=json", "--progress=no", "--accept-license", "--accept-gdpr"},
			Loss: check.Rule{Warn: p.LossWarn, Crit: p.LossCrit},
		}
		switch {
		case p.Server == "":
		case number.MatchString(p.Server):
			c.Args = append(c.Args, "--server-id="+p.Server)
		default:
			faults = append(faults, conn.CheckHost("server", p.Server))
			c.Args = append(c.Args, "--host="+p.Server)
			c.Host = p.Server
		}
		if err := errors.Join(faults...); err != nil {
			return nil, err
		}
		return c, nil
	}
}

// line is what the program prints: messages, and in the end the result.
type line struct {
	Type  string `json:"type"`
	Level string `json:"level"`
	// Message and Error are what went wrong, in lines of different kinds.
	Message string `json:"message"`
	Error   string `json:"error"`
	Ping    struct {
		Latency *float64 `json:"latency"` // ms
		Jitter  *float64 `json:"jitter"`  // ms
	} `json:"ping"`
	Download   transfer `json:"download"`
	Upload     transfer `json:"upload"`
	PacketLoss *float64 `json:"packetLoss"` // percent; not there when it was not measured
}

type transfer struct {
	Bandwidth *float64 `json:"bandwidth"` // bytes per second
}

// parse finds the result among the lines.
func parse(stdout []byte) (speedrun.Measured, error) {
	var said error // what went wrong, in the program's words
	d := json.NewDecoder(bytes.NewReader(stdout))
	for {
		var l line
		err := d.Decode(&l)
		switch {
		case err != nil && said != nil:
			return speedrun.Measured{}, said
		case errors.Is(err, io.EOF):
			return speedrun.Measured{}, errors.New("no result")
		case err != nil:
			return speedrun.Measured{}, fmt.Errorf("unreadable output: %w", err)
		case l.Error != "":
			said = fmt.Errorf("%.300q", l.Error)
		case l.Type == "log" && l.Level == "error":
			said = fmt.Errorf("%.300q", l.Message)
		case l.Type == "result":
			return l.measured()
		}
	}
}

func (l line) measured() (speedrun.Measured, error) {
	if l.Download.Bandwidth == nil || l.Upload.Bandwidth == nil || l.Ping.Latency == nil {
		return speedrun.Measured{}, errors.New("a result without download, upload or latency")
	}
	return speedrun.Measured{
		Download: times(l.Download.Bandwidth, 8), Upload: times(l.Upload.Bandwidth, 8),
		Latency: times(l.Ping.Latency, 1e-3), Jitter: times(l.Ping.Jitter, 1e-3),
		Loss: l.PacketLoss,
	}, nil
}

func times(v *float64, factor float64) *float64 {
	if v == nil {
		return nil
	}
	product := *v * factor
	return &product
}
