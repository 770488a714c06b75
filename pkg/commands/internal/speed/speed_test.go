package speed

import (
	"encoding/json"
	"testing"
)

func TestUnmarshal(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Speed{
		`1000`: 1000, `"1000"`: 1000, `"1Gb"`: 1e9, `"1.5 Mbit/s"`: 1.5e6, `"100M"`: 1e8, `"125MB"`: 1e9, `"1MiB/s"`: 8 << 20, `"64kbps"`: 64000,
	} {
		var got Speed
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != want {
			t.Errorf("Unmarshal(%s) = %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{`"fast"`, `""`, `-1`, `"1Xb"`, `"1Gbx"`, `true`, `[]`, `0`, `"NaN"`, `1e16`} {
		var got Speed
		if err := json.Unmarshal([]byte(text), &got); err == nil {
			t.Errorf("Unmarshal(%s) = %v, want an error", text, got)
		}
	}
}
