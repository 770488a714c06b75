// Package speedtestpp is the command that measures a line with taganaka's
// SpeedTest++, where the operator of the worker has installed it.
package speedtestpp

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"strconv"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands/internal/conn"
	"github.com/redpoll/redpoll/pkg/commands/internal/plugins"
	"github.com/redpoll/redpoll/pkg/commands/internal/speedrun"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
)

// Params are the settings of a check with this command.
type Params struct {
	// Server is host:port; empty: the program chooses.
	Server string `json:"server"`
	speedrun.Thresholds
}

// Defaults are the params of a check that says nothing.
func Defaults() Params { return Params{} }

// New makes the command with a worker's tools.
func New(t tools.Tools) func(Params) (check.Command, error) {
	return func(p Params) (check.Command, error) {
		faults := []error{p.Thresholds.Validate()}
		c := &speedrun.Command{
			Tools: t, Name: plugins.Speedtestpp, Parse: parse, Thresholds: p.Thresholds,
			Args: []string{"--output", "json"},
		}
		if p.Server != "" {
			host, port, err := net.SplitHostPort(p.Server)
			if err != nil {
				return nil, conn.Fault("server", "%.64q: want host:port", p.Server)
			}
			n, _ := strconv.Atoi(port) // CheckPort refuses the 0 of an error
			faults = append(faults, conn.CheckHost("server", host), conn.CheckPort("server", n))
			if host != "" && host[0] == '-' {
				faults = append(faults, conn.Fault("server", "%.64q would be an option", p.Server))
			}
			c.Args = append(c.Args, "--test-server", p.Server)
			c.Host = host
		}
		if err := errors.Join(faults...); err != nil {
			return nil, err
		}
		return c, nil
	}
}

// output is what the program prints. All its numbers are texts.
type output struct {
	Error    string  `json:"error"`
	Ping     *figure `json:"ping"`     // ms
	Jitter   *figure `json:"jitter"`   // ms
	Download *figure `json:"download"` // bits per second
	Upload   *figure `json:"upload"`   // bits per second
}

// figure is a number in quotes, or one without.
type figure float64

// UnmarshalJSON reads what is a number above or equal to 0.
func (f *figure) UnmarshalJSON(text []byte) error {
	word := string(text)
	if len(text) > 1 && text[0] == '"' {
		if err := json.Unmarshal(text, &word); err != nil {
			return err
		}
	}
	v, err := strconv.ParseFloat(word, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
		return fmt.Errorf("%.64q is no figure", word)
	}
	*f = figure(v)
	return nil
}

func parse(stdout []byte) (speedrun.Measured, error) {
	var o output
	if err := json.Unmarshal(stdout, &o); err != nil {
		return speedrun.Measured{}, fmt.Errorf("unreadable output: %w", err)
	}
	if o.Error != "" {
		return speedrun.Measured{}, fmt.Errorf("%.300q", o.Error)
	}
	if o.Ping == nil || o.Download == nil || o.Upload == nil {
		return speedrun.Measured{}, errors.New("a result without ping, download or upload")
	}
	return speedrun.Measured{
		Download: times(o.Download, 1), Upload: times(o.Upload, 1),
		Latency: times(o.Ping, 1e-3), Jitter: times(o.Jitter, 1e-3),
	}, nil
}

func times(v *figure, factor float64) *float64 {
	if v == nil {
		return nil
	}
	product := float64(*v) * factor
	return &product
}
