package checktest

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

const childEnv = "REDPOLL_CHECKTEST_CHILD"

type params struct {
	Hang bool `json:"hang"`
}

// good makes a factory of well-behaved commands; wrap changes their runs.
func good(wrap func(context.Context, params, check.Result, error) (check.Result, error)) check.CommandFactory {
	return func(text json.RawMessage) (check.Command, error) {
		var p params
		d := json.NewDecoder(strings.NewReader(string(text)))
		d.DisallowUnknownFields()
		if err := d.Decode(&p); err != nil {
			return nil, err
		}
		if d.More() {
			return nil, errors.New("text after the params")
		}
		return check.CommandFunc(func(ctx context.Context, _ check.Run) (check.Result, error) {
			if p.Hang || ctx.Err() != nil {
				<-ctx.Done()
				return wrap(ctx, p, check.Result{}, ctx.Err())
			}
			return wrap(ctx, p, check.Result{At: time.Now(), Metrics: []check.Metric{check.Seconds("resp_seconds", 1)}}, nil)
		}), nil
	}
}

// faulty are commands with one fault each, and what the suite says of it.
var faulty = map[string]struct {
	want string
	wrap func(context.Context, params, check.Result, error) (check.Result, error)
}{
	"no time": {"Result.At", func(_ context.Context, _ params, r check.Result, err error) (check.Result, error) {
		r.At = time.Time{}
		return r, err
	}},
	"both": {"never both", func(_ context.Context, _ params, r check.Result, err error) (check.Result, error) {
		r.At = time.Now()
		return r, err
	}},
	"deaf": {"obeyed its cancelled context", func(_ context.Context, p params, r check.Result, err error) (check.Result, error) {
		if p.Hang {
			<-time.After(3 * obey)
		}
		return r, err
	}},
	"leak": {"goroutines are left", func(_ context.Context, _ params, r check.Result, err error) (check.Result, error) {
		go func() { <-time.After(time.Minute) }()
		return r, err
	}},
	"unknown metric": {"does not have the metric", func(_ context.Context, _ params, r check.Result, err error) (check.Result, error) {
		if err == nil {
			r.Metrics = append(r.Metrics, check.Gauge("other", 1, ""))
		}
		return r, err
	}},
	"cancel as a result": {"want context.Canceled", func(_ context.Context, _ params, r check.Result, err error) (check.Result, error) {
		r.At = time.Now()
		return r, nil
	}},
}

func testCase(t *testing.T) Case {
	doc := filepath.Join(t.TempDir(), "it.md")
	if err := os.WriteFile(doc, []byte("Field `hang`, metric `resp_seconds`.\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return Case{OK: `{"hang":false}`, Hang: `{"hang":true}`, Bad: []string{`{"hang":3}`}, Doc: doc, Defaults: params{}}
}

func TestCommand(t *testing.T) {
	Command(t, good(func(_ context.Context, _ params, r check.Result, err error) (check.Result, error) { return r, err }), testCase(t))
}

// TestChild runs the suite on a faulty command, as a child of TestFaulty.
func TestChild(t *testing.T) {
	if name := os.Getenv(childEnv); name != "" {
		Command(t, good(faulty[name].wrap), testCase(t))
	}
}

func TestFaulty(t *testing.T) {
	t.Parallel()
	for name, tt := range faulty {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChild$")
			cmd.Env = append(os.Environ(), childEnv+"="+name)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), tt.want) {
				t.Fatalf("the suite says of %s: %v\n%s\nwant %q", name, err, out, tt.want)
			}
		})
	}
}

func TestResult(t *testing.T) {
	t.Parallel()
	Result(t, testCase(t).Doc, check.Result{At: time.Now(), Text: "fine"})
}
