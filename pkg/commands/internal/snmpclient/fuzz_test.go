package snmpclient

import (
	"bytes"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func FuzzReadMessage(f *testing.F) {
	f.Add([]byte{0x30, 0x03, 1, 2, 3})
	f.Add([]byte{0x30, 0x82, 0x00, 0x01, 5})
	f.Add([]byte{0x30, 0x83, 0xff, 0xff, 0xff})
	f.Add([]byte{0x30, 0x80})
	f.Fuzz(func(t *testing.T, stream []byte) {
		buf := make([]byte, 1<<16)
		n, err := readMessage(bytes.NewReader(stream), buf)
		if err == nil && (n < 2 || n > len(stream) || !bytes.Equal(buf[:n], stream[:n])) {
			t.Fatalf("readMessage(% x) = %d", stream, n)
		}
	})
}

func FuzzOID(f *testing.F) {
	f.Add("1.3.6.1", "1.3.6.1.2")
	f.Add(".2.999", "1.40")
	f.Fuzz(func(t *testing.T, a, b string) {
		x, err := ParseOID(a)
		y, err2 := ParseOID(b)
		if err != nil || err2 != nil {
			return
		}
		if x != y && after(x, y) == after(y, x) || x == y && after(x, y) {
			t.Fatalf("after(%s, %s) = %v both ways", x, y, after(x, y))
		}
		if under(x, y) && !after(y, x) {
			t.Fatalf("%s is under %s and not after it", y, x)
		}
	})
}

func FuzzPrintable(f *testing.F) {
	f.Add("a\x1b[2J", 7)
	f.Add("\xff\xfe", 1)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		limit = 1 + limit&0xfff
		got := Printable(text, limit)
		if len(got) > limit || !utf8.ValidString(got) || strings.ContainsFunc(got, unicode.IsControl) {
			t.Fatalf("Printable(%q, %d) = %q", text, limit, got)
		}
	})
}
