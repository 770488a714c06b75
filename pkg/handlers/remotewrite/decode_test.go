package remotewrite

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
)

// sent is a time series as a receiver reads it: name{label="value",...}, and its
// sample.
type sent struct {
	series string
	value  float64
	bits   uint64
	millis int64
}

func (s sent) String() string { return fmt.Sprintf("%s %v @%d", s.series, s.value, s.millis) }

// field reads a field: its number, and what it holds.
func field(b []byte) (number int, text []byte, value uint64, rest []byte, err error) {
	tag, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, nil, 0, nil, fmt.Errorf("no tag in %q", b)
	}
	b = b[n:]
	switch tag & 7 {
	case 0:
		value, n = binary.Uvarint(b)
	case 1:
		if n = 8; len(b) >= 8 {
			value = binary.LittleEndian.Uint64(b)
		}
	case 2:
		var size uint64
		if size, n = binary.Uvarint(b); n > 0 && size <= uint64(len(b)-n) {
			text = b[n : n+int(size)]
			n += int(size)
		} else {
			n = -1
		}
	default:
		n = -1
	}
	if n <= 0 || n > len(b) {
		return 0, nil, 0, nil, fmt.Errorf("field %d is cut", tag>>3)
	}
	return int(tag >> 3), text, value, b[n:], nil
}

// decode reads a request.
func decode(body []byte) (all []sent, err error) {
	for len(body) > 0 {
		number, text, _, rest, err := field(body)
		if err != nil || number != 1 {
			return nil, fmt.Errorf("field %d: %w", number, err)
		}
		s, err := decodeSeries(text)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
		body = rest
	}
	return all, nil
}

func decodeSeries(b []byte) (s sent, err error) {
	var name, last string
	var labels []string
	samples := 0
	for len(b) > 0 {
		number, text, _, rest, err := field(b)
		if err != nil {
			return s, err
		}
		b = rest
		switch number {
		case 1:
			n, v, err := decodeLabel(text)
			if err != nil || n <= last || v == "" {
				return s, fmt.Errorf("label %q=%q after %q: %w", n, v, last, err)
			}
			last = n
			if n == labelName {
				name = v
			} else {
				labels = append(labels, fmt.Sprintf("%s=%q", n, v))
			}
		case 2:
			samples++
			for len(text) > 0 {
				number, _, value, rest, err := field(text)
				if err != nil {
					return s, err
				}
				if number == 1 {
					s.bits, s.value = value, math.Float64frombits(value)
				} else {
					s.millis = int64(value)
				}
				text = rest
			}
		default:
			return s, fmt.Errorf("field %d of a series", number)
		}
	}
	if name == "" || samples != 1 {
		return s, fmt.Errorf("series %q has %d samples", name, samples)
	}
	s.series = name + "{" + strings.Join(labels, ",") + "}"
	return s, nil
}

func decodeLabel(b []byte) (name, value string, err error) {
	for len(b) > 0 {
		number, text, _, rest, err := field(b)
		if err != nil {
			return "", "", err
		}
		switch number {
		case 1:
			name = string(text)
		case 2:
			value = string(text)
		default:
			return "", "", fmt.Errorf("field %d of a label", number)
		}
		b = rest
	}
	return name, value, nil
}
