package tools

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// parrot makes commands that look the secrets of their params up and give what
// say makes of the first value.
func parrot(t Tools, say func(value string) (check.Result, error)) check.CommandFactory {
	return func(params json.RawMessage) (check.Command, error) {
		return check.CommandFunc(func(context.Context, check.Run) (check.Result, error) {
			first := ""
			for i, name := range references(params) {
				value, err := t.Secret(Secret{Name: name}, "host")
				if err != nil {
					return check.Result{}, err
				}
				if i == 0 {
					first = value
				}
			}
			return say(first)
		}), nil
	}
}

func TestRedacting(t *testing.T) {
	t.Parallel()
	tools := Tools{Secrets: secretsDir(t, map[string]string{"web": "canary-5c1f-web", "sql": "canary-77aa", "short": "moth", ".targets": "*"})}
	for _, tt := range []struct {
		name, params string
		say          func(v string) string
		want         string
	}{
		{"none", `{}`, func(string) string { return "canary-5c1f-web" }, "canary-5c1f-web"},
		{"nothing said", `{"a":{"secret":"web"}}`, func(string) string { return "all is well" }, "all is well"},
		{"plain", `{"a":{"secret":"web"}}`, func(v string) string { return "password " + v + " is wrong, " + v }, "password (secret web) is wrong, (secret web)"},
		{"second of two", `{"l":[{"secret":"web"},{"b":{"secret":"sql"}}]}`, func(string) string { return "x canary-77aa" }, "x (secret sql)"},
		{"hex", `{"a":{"secret":"web"}}`, func(v string) string { return hex.EncodeToString([]byte(v)) }, "(secret web)"},
		{"basic auth", `{"a":{"secret":"web"}}`, func(v string) string { return base64.StdEncoding.EncodeToString([]byte("u:" + v)) }, "(secret web)"},
		{"short", `{"a":{"secret":"short"}}`, func(string) string { return "mammoth" }, "mammoth"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cause := errors.New("cause")
			for _, fails := range []bool{false, true} {
				cmd, err := tools.Redacting(parrot(tools, func(v string) (check.Result, error) {
					if fails {
						return check.Result{}, fmt.Errorf("%s: %w", tt.say(v), cause)
					}
					return check.Result{Text: tt.say(v), Metrics: []check.Metric{check.String("name", tt.say(v)), check.Gauge("size", 1, "")}}, nil
				}))(json.RawMessage(tt.params))
				if err != nil {
					t.Fatal(err)
				}
				res, err := cmd.Run(t.Context(), check.Run{})
				if fails {
					res.Text, _, _ = strings.Cut(fmt.Sprint(err), ": cause")
					if !errors.Is(err, cause) {
						t.Errorf("error = %v, want one that is its cause", err)
					}
				} else if m, _ := res.Metric("name"); err != nil || m.Str != res.Text || len(res.Metrics) != 2 {
					t.Errorf("result = %+v, %v", res, err)
				}
				for _, secret := range []string{"canary-5c1f-web", "canary-77aa"} {
					if tt.name != "none" && strings.Contains(res.Text, secret) {
						t.Errorf("text = %q has %s", res.Text, secret)
					}
				}
				if tt.name != "basic auth" && res.Text != tt.want || !strings.Contains(res.Text, tt.want) {
					t.Errorf("text = %q, want %q", res.Text, tt.want)
				}
			}
		})
	}
}

func TestRedactingWithoutSecrets(t *testing.T) {
	t.Parallel()
	refused := errors.New("refused")
	factory := Tools{}.Redacting(func(json.RawMessage) (check.Command, error) { return nil, refused })
	if _, err := factory(json.RawMessage(`{"a":{"secret":"web"}}`)); !errors.Is(err, refused) {
		t.Errorf("factory = %v, want %v", err, refused)
	}
}

// TestRedactingARotatedSecret: a run that began with the old value ends after
// somebody else has read the new one.
func TestRedactingARotatedSecret(t *testing.T) {
	t.Parallel()
	s := secretsDir(t, map[string]string{"web": "canary-before", ".targets": "*"})
	synctest.Test(t, func(t *testing.T) {
		tools := Tools{Secrets: s}
		cmd, err := tools.Redacting(parrot(tools, func(v string) (check.Result, error) {
			if err := os.WriteFile(filepath.Join(s.dir, "web"), []byte("canary-after"), 0o600); err != nil {
				t.Fatal(err)
			}
			<-time.After(reread)
			now, err := s.Lookup("web", "host")
			return check.Result{Text: v + " " + now}, err
		}))(json.RawMessage(`{"a":{"secret":"web"}}`))
		if err != nil {
			t.Fatal(err)
		}
		if res, err := cmd.Run(t.Context(), check.Run{}); err != nil || res.Text != "(secret web) (secret web)" {
			t.Errorf("text = %q, %v", res.Text, err)
		}
	})
}
