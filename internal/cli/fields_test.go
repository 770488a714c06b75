package cli

import (
	"slices"
	"strings"
	"testing"
)

func TestPairs(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, args string
		want       []string
		wantErr    string
	}{
		{name: "none", args: ""},
		{name: "plain", args: "url=http://192.0.2.10/", want: []string{"params.url", "http://192.0.2.10/"}},
		{name: "value with equals sign", args: "q=a=b", want: []string{"params.q", "a=b"}},
		{name: "nested", args: "a.b=v a.c=w", want: []string{"params.a.b", "v", "params.a.c", "w"}},
		{name: "empty value", args: "body=", want: []string{"params.body", ""}},
		{name: "JSON goes as it is", args: `expect=[200,201]`, want: []string{"params.expect", "[200,201]"}},
		{name: "no equals sign", args: "http://192.0.2.10/", wantErr: `param "http://192.0.2.10/": want key=value`},
		{name: "no key", args: "=v", wantErr: "the key is missing"},
		{name: "twice", args: "a=1 a=2", wantErr: `param "a": given twice`},
		{name: "empty part", args: "a..b=1", wantErr: "between two dots"},
		{name: "trailing dot", args: "a.=1", wantErr: "between two dots"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := pairs("param", "params", strings.Fields(tt.args))
			if tt.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
					t.Fatalf("pairs(%q) error = %v, want %q", tt.args, err, tt.wantErr)
				}
				return
			}
			if err != nil || !slices.Equal(got.flat(), tt.want) {
				t.Fatalf("pairs(%q) = %q, %v, want %q", tt.args, got.flat(), err, tt.want)
			}
		})
	}
}
