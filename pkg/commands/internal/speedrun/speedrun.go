// Package speedrun holds what the commands that measure a line with a program
// of the worker have in common.
package speedrun

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands/internal/conn"
	"github.com/redpoll/redpoll/pkg/commands/internal/proc"
	"github.com/redpoll/redpoll/pkg/commands/internal/speed"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
)

// The reasons of these commands.
const (
	downloadLow = "DOWNSTREAM_THROUGHPUT_LOW"
	uploadLow   = "UPSTREAM_THROUGHPUT_LOW"
	latencyHigh = "LATENCY_HIGH"
	jitterHigh  = "JITTER_HIGH"
	lossHigh    = "PKT_LOSS_HIGH"
)

// longest is how long a measurement may take.
const longest = 60 * time.Second

// Thresholds are the params that these commands share. 0 is off.
type Thresholds struct {
	// What is lower is bad.
	DownloadWarn speed.Speed `json:"download_warn"`
	DownloadCrit speed.Speed `json:"download_crit"`
	UploadWarn   speed.Speed `json:"upload_warn"`
	UploadCrit   speed.Speed `json:"upload_crit"`
	// What is higher is bad.
	LatencyWarn check.Duration `json:"latency_warn"`
	LatencyCrit check.Duration `json:"latency_crit"`
	JitterWarn  check.Duration `json:"jitter_warn"`
	JitterCrit  check.Duration `json:"jitter_crit"`
}

// Validate refuses negative durations.
func (t Thresholds) Validate() error {
	var faults []error
	for field, d := range map[string]check.Duration{
		"latency_warn": t.LatencyWarn, "latency_crit": t.LatencyCrit, "jitter_warn": t.JitterWarn, "jitter_crit": t.JitterCrit,
	} {
		if d < 0 {
			faults = append(faults, conn.Fault(field, "%v: want 0 (off) or more", d))
		}
	}
	return errors.Join(faults...)
}

// Measured is what a program found out; nil where it did not.
type Measured struct {
	Download, Upload *float64 // bits per second
	Latency, Jitter  *float64 // seconds
	Loss             *float64 // percent
}

// Command runs one program of the worker's list and grades what it measured.
type Command struct {
	Tools tools.Tools
	// Name is the program's name in the list, Args what it gets.
	Name string
	Args []string
	// Host is a target that the guard has to let pass; empty: none.
	Host string
	// Parse reads the program's output. Its error says what the program said.
	Parse func(stdout []byte) (Measured, error)
	Thresholds
	Loss check.Rule
}

// Target is the server that the check names.
func (c *Command) Target() string { return c.Host }

// Run measures.
func (c *Command) Run(ctx context.Context, _ check.Run) (check.Result, error) {
	if err := ctx.Err(); err != nil {
		return check.Result{}, err
	}
	prog := c.Tools.Plugins.Tool(c.Name)
	if prog == nil {
		return check.Result{}, fmt.Errorf("this worker has no %s: its list of programs (-plugins) names none", c.Name)
	}
	begin := time.Now()
	if c.Host != "" {
		var denied *tools.DeniedError
		if _, err := c.Tools.Resolve(ctx, "ip", c.Host); errors.As(err, &denied) {
			return check.Result{}, err
		}
	}
	limited, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	out, err := c.Tools.Plugins.Run(limited, prog, c.Args)
	switch {
	case ctx.Err() != nil:
		return check.Result{}, ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return check.Result{}, fmt.Errorf("%s was killed after %v", c.Name, time.Since(begin).Round(time.Second))
	case err != nil:
		return check.Result{}, err
	}
	m, err := c.Parse(out.Stdout)
	if err == nil && out.Code != 0 {
		err = errors.New("no result")
	}
	if err != nil {
		return check.Result{}, fmt.Errorf("%s: %s: %w", c.Name, ended(out), err)
	}
	return c.grade(begin, m), nil
}

// ended says how the program ended, and what it said on stderr.
func ended(out proc.Output) string {
	text := fmt.Sprintf("exit code %d", out.Code)
	if out.Signal != 0 {
		text = fmt.Sprintf("ended by a signal: %v", out.Signal)
	}
	if first, _, _ := strings.Cut(strings.TrimSpace(string(out.Stderr)), "\n"); first != "" {
		text += fmt.Sprintf(" (%.200q)", first)
	}
	return text
}

// grade compares each figure with its own thresholds.
func (c *Command) grade(begin time.Time, m Measured) check.Result {
	var g check.Grade
	var ms []check.Metric
	var texts []string
	take := func(v *float64, name, unit, text string, grade func(float64) (check.State, string)) {
		if v == nil {
			return
		}
		ms = append(ms, check.Gauge(name, *v, unit))
		texts = append(texts, text)
		if state, reason := grade(*v); state != check.StateOK {
			g.Add(state, reason, text)
		}
	}
	bits := func(what string, v *float64) string {
		if v == nil {
			return ""
		}
		return fmt.Sprintf("%s %.2f Mbit/s", what, *v/1e6)
	}
	milli := func(what string, v *float64) string {
		if v == nil {
			return ""
		}
		return fmt.Sprintf("%s %.3g ms", what, *v*1e3)
	}
	take(m.Download, "download_bits_per_second", "bits_per_second", bits("download", m.Download), rule(c.DownloadWarn, c.DownloadCrit, downloadLow).Below)
	take(m.Upload, "upload_bits_per_second", "bits_per_second", bits("upload", m.Upload), rule(c.UploadWarn, c.UploadCrit, uploadLow).Below)
	take(m.Latency, "latency_seconds", "seconds", milli("latency", m.Latency), rule(c.LatencyWarn.D().Seconds(), c.LatencyCrit.D().Seconds(), latencyHigh).Above)
	take(m.Jitter, "jitter_seconds", "seconds", milli("jitter", m.Jitter), rule(c.JitterWarn.D().Seconds(), c.JitterCrit.D().Seconds(), jitterHigh).Above)
	if m.Loss != nil {
		loss := c.Loss
		loss.Reason = lossHigh
		take(m.Loss, "loss_percent", "percent", fmt.Sprintf("loss %.3g%%", *m.Loss), loss.Above)
	}
	g.Add(check.StateOK, "", strings.Join(texts, ", "))
	return g.Result(begin, ms)
}

// rule makes a Rule of thresholds that are off when 0.
func rule[T ~float64](warn, crit T, reason string) check.Rule {
	r := check.Rule{Reason: reason}
	if warn > 0 {
		w := float64(warn)
		r.Warn = &w
	}
	if crit > 0 {
		c := float64(crit)
		r.Crit = &c
	}
	return r
}
