package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// fileAgeParams are what a check with the command file_age says. They come
// from JSON or from flat fields (params.path /var/backups/db), unknown fields
// are refused.
type fileAgeParams struct {
	Path    string         `json:"path"`
	AgeWarn check.Duration `json:"age_warn"`
	AgeCrit check.Duration `json:"age_crit"`
}

// fileAgeDefaults stand where a check says nothing.
var fileAgeDefaults = fileAgeParams{AgeCrit: check.Duration(24 * time.Hour)}

// newFileAge makes the command of one check. What is wrong with params is said
// here: a worker makes it UNKNOWN, BAD_PARAMS.
func newFileAge(p fileAgeParams) (check.Command, error) {
	if p.Path == "" {
		return nil, &check.FieldError{Field: "path", Msg: "is missing"}
	}
	return check.CommandFunc(p.run), nil
}

// run makes one measurement. A file that is not there is a finding about the
// target; one that cannot be looked at is an error of ours.
func (p fileAgeParams) run(context.Context, check.Run) (check.Result, error) {
	now := time.Now()
	info, err := os.Stat(p.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return check.Result{At: now, State: check.StateCrit, Reason: "FILE_MISSING", Text: err.Error()}, nil
	case err != nil:
		return check.Result{}, err
	}
	age := now.Sub(info.ModTime())
	state, reason := p.rule().Above(age.Seconds())
	return check.Result{
		At: now, State: state, Reason: reason, Text: info.Name() + " is " + age.Round(time.Second).String() + " old",
		Metrics: []check.Metric{check.Seconds("age_seconds", age), check.Gauge("size_bytes", float64(info.Size()), "bytes")},
	}, nil
}

// rule grades an age; zero durations are no thresholds.
func (p fileAgeParams) rule() check.Rule {
	r := check.Rule{Reason: "FILE_TOO_OLD"}
	if p.AgeWarn > 0 {
		v := p.AgeWarn.D().Seconds()
		r.Warn = &v
	}
	if p.AgeCrit > 0 {
		v := p.AgeCrit.D().Seconds()
		r.Crit = &v
	}
	return r
}
