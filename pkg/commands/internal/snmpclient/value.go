package snmpclient

import (
	"encoding/hex"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gosnmp/gosnmp"
)

// Type is what a Value holds.
type Type uint8

// The types of values. Of Value's fields each uses the one that is named.
const (
	// Missing: the device has no such object.
	Missing   Type = iota
	Int            // Int
	Gauge          // Uint, 32 bits
	Counter32      // Uint
	Counter64      // Uint
	Ticks          // Uint, 32 bits, hundredths of a second
	Float          // Float, never NaN nor infinite
	Text           // Text: octets as they came, or an address or OID written out
)

// maxText is what is kept of an octet string, in bytes.
const maxText = 4 << 10

// Value is one object of a device.
type Value struct {
	// OID has no dot in front.
	OID   string
	Type  Type
	Int   int64
	Uint  uint64
	Float float64
	Text  string
	// At is when the answer with the value arrived.
	At time.Time
}

// Number gives the value as a number. Text counts when it is written as one.
func (v *Value) Number() (float64, bool) {
	switch v.Type {
	case Int:
		return float64(v.Int), true
	case Gauge, Counter32, Counter64, Ticks:
		return float64(v.Uint), true
	case Float:
		return v.Float, true
	case Text:
		f, err := strconv.ParseFloat(strings.TrimSpace(v.Text), 64)
		return f, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
	}
	return 0, false
}

// String gives the value for people and for comparison: printable, and text
// that is none in hex.
func (v *Value) String() string {
	switch v.Type {
	case Int:
		return strconv.FormatInt(v.Int, 10)
	case Gauge, Counter32, Counter64, Ticks:
		return strconv.FormatUint(v.Uint, 10)
	case Float:
		return strconv.FormatFloat(v.Float, 'g', -1, 64)
	case Text:
		return Printable(v.Text, maxText)
	}
	return ""
}

// convert copies what gosnmp decoded, whose bytes live in a buffer that the
// next request overwrites. What cannot be a value of its type is Missing.
func convert(pdu gosnmp.SnmpPDU, at time.Time) Value {
	v := Value{OID: strings.TrimPrefix(pdu.Name, "."), At: at}
	switch x := pdu.Value.(type) {
	case int:
		v.Type, v.Int = Int, int64(x)
	case uint32:
		v.Type, v.Uint = unsigned(pdu.Type), uint64(x)
	case uint:
		if x <= math.MaxUint32 {
			v.Type, v.Uint = unsigned(pdu.Type), uint64(x)
		}
	case uint64:
		if pdu.Type == gosnmp.Counter64 {
			v.Type, v.Uint = Counter64, x
		}
	case float32:
		v.setFloat(float64(x))
	case float64:
		v.setFloat(x)
	case []byte:
		v.Type, v.Text = Text, string(x[:min(len(x), maxText)])
	case string:
		v.Type, v.Text = Text, strings.TrimPrefix(x[:min(len(x), maxText)], ".")
	}
	return v
}

func (v *Value) setFloat(f float64) {
	if !math.IsNaN(f) && !math.IsInf(f, 0) {
		v.Type, v.Float = Float, f
	}
}

func unsigned(t gosnmp.Asn1BER) Type {
	switch t {
	case gosnmp.Counter32:
		return Counter32
	case gosnmp.TimeTicks:
		return Ticks
	case gosnmp.Gauge32, gosnmp.Uinteger32:
		return Gauge
	}
	return Missing
}

// Printable makes text of a device safe to show: at most max bytes, control
// and direction characters replaced, and what is no UTF-8 text written in hex.
func Printable(text string, max int) string {
	text = strings.TrimRight(text, "\x00\r\n ")
	if !utf8.ValidString(text) {
		raw := text[:min(len(text), max/2)]
		return hex.EncodeToString([]byte(raw))
	}
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			return ' '
		case !unicode.IsPrint(r):
			return unicode.ReplacementChar
		}
		return r
	}, text)
	if len(text) > max {
		text = text[:max]
		for !utf8.ValidString(text) {
			text = text[:len(text)-1]
		}
	}
	return text
}
