// Package speed reads speeds of lines as people write them.
package speed

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Speed is a size of a line in bits per second. It is written as people do:
// "1Gb", "1Gbit/s", "1Gbps", "100M", "1000000" in bits; "125MB", "125MB/s" in
// bytes. K, M, G and T are powers of 1000, Ki, Mi, Gi and Ti of 1024.
type Speed float64

// Max is the highest Speed: far above any line, and far below what float64 counts exactly.
const Max = 1e15

// UnmarshalJSON reads a number of bits per second, or a text with a unit.
func (s *Speed) UnmarshalJSON(text []byte) error {
	word := string(text)
	if bytes.HasPrefix(text, []byte(`"`)) {
		if err := json.Unmarshal(text, &word); err != nil {
			return err
		}
	}
	v, err := Parse(word)
	if err == nil {
		*s = v
	}
	return err
}

// Parse reads a Speed, from 1 bit per second to Max.
func Parse(text string) (Speed, error) {
	word := strings.TrimSpace(text)
	end := strings.IndexFunc(word, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	if end < 0 {
		end = len(word)
	}
	number, err := strconv.ParseFloat(word[:end], 64)
	if err != nil {
		return 0, fmt.Errorf("speed %.32q: want a number and a unit, such as 1Gb or 125MB", text)
	}
	factor, err := parseUnit(strings.TrimSpace(word[end:]))
	if err != nil {
		return 0, fmt.Errorf("speed %.32q: %w", text, err)
	}
	bits := number * factor
	if bits < 1 || bits > Max || math.IsNaN(bits) {
		return 0, fmt.Errorf("speed %.32q: want 1 bit to 1000 terabits per second", text)
	}
	return Speed(bits), nil
}

// parseUnit gives the bits in one of the unit.
func parseUnit(unit string) (float64, error) {
	factor, rest := 1.0, unit
	for i, prefix := range []string{"k", "m", "g", "t"} {
		if len(rest) == 0 || !strings.EqualFold(rest[:1], prefix) {
			continue
		}
		base := 1000.0
		if rest = rest[1:]; strings.HasPrefix(rest, "i") {
			base, rest = 1024, rest[1:]
		}
		factor = math.Pow(base, float64(i+1))
		break
	}
	switch strings.TrimSuffix(rest, "/s") {
	case "", "b", "bit", "bits", "bps":
		return factor, nil
	case "B", "byte", "bytes", "Bps":
		return factor * 8, nil
	}
	return 0, errors.New("want b for bits or B for bytes after K, M, G or T")
}
