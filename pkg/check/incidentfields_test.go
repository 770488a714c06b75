package check

import (
	"strings"
	"testing"
)

// Parents and flap, whole and flat, have one canonical text, and back.
func TestParentsAndFlap(t *testing.T) {
	t.Parallel()
	base := []string{"id", "web1", "command", "http", "every", "30s"}
	tests := []struct {
		name string
		flat []string
		want string // of the spec
	}{
		{"parents", []string{"parents", "router1, sw:2"}, `"every":"30s","parents":["router1","sw:2"]`},
		{"no parents", []string{"parents", ""}, `"every":"30s"`},
		{"flap by fields", []string{"flap.window", "10", "flap.high", "60", "flap.low", "20"}, `"every":"30s","flap":{"window":10,"high":60,"low":20}`},
		{"flap with the defaults", []string{"flap", "{}"}, `"every":"30s","flap":{}`},
		{"low is half of high", []string{"flap", `{"high":30,"low":15}`}, `"every":"30s","flap":{"high":30}`},
		{"what is default is left out", []string{"flap", `{"window":20,"high":50,"low":30}`}, `"every":"30s","flap":{"low":30}`},
	}
	for _, tt := range tests {
		r, err := ParseRequest(entry(append(base, tt.flat...)...))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if got := string(r.Check.Text()); got != spec(tt.want) {
			t.Errorf("%s: %s, want %s", tt.name, got, spec(tt.want))
		}
		back, err := ParseRequest(entry(Flat(r.Check)...))
		if err != nil || string(back.Check.Text()) != spec(tt.want) {
			t.Errorf("%s: flat %q gives %v, %v", tt.name, Flat(r.Check), back.Check, err)
		}
	}
}

func TestParentsAndFlapFaults(t *testing.T) {
	t.Parallel()
	many := strings.Repeat(`"x",`, 17)
	for text, want := range map[string]string{
		`"parents":["web1"]`:                     "parents: web1 is the check itself",
		`"parents":["a","a"]`:                    "parents: a stands twice",
		`"parents":["fra/a"]`:                    `parents: "fra/a" is no id of a check`,
		`"parents":[` + many[:len(many)-1] + `]`: "parents: 17: want at most 16",
		`"parents":{}`:                           "parents: want a list",
		`"flap":{"window":3}`:                    "flap.window: 3: want 4 to 50 results",
		`"flap":{"window":51}`:                   "flap.window: 51: want 4 to 50 results",
		`"flap":{"high":101}`:                    "flap.high: 101: want 1 to 100 percent",
		`"flap":{"high":20,"low":21}`:            "flap.low: 21: want 1 to 20 percent, no more than high",
		`"flap":{"low":-1}`:                      "flap.low: -1: want 1 to 50 percent",
		`"flap":{"hihg":20}`:                     "unknown field flap.hihg, did you mean flap.high?",
		`"flap":true`:                            "flap: want an object",
	} {
		_, err := Parse([]byte(spec(`"every":"30s",` + text)))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}
