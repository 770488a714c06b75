package smtp

import (
	"bufio"
	"strings"
	"testing"
)

func FuzzReply(f *testing.F) {
	for _, seed := range []string{"220 a\r\n", "250-a\n250 b\n", "250\r\n", "220-a\r\n250 b\r\n", "xyz\n", "2", "999 a\n", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s := session{in: bufio.NewReaderSize(strings.NewReader(text), maxLine)}
		r, err := s.read()
		if err != nil {
			return
		}
		if r.code < 200 || r.code > 599 || len(r.lines) == 0 || len(r.lines) > maxLines {
			t.Fatalf("read(%q) = %+v", text, r)
		}
		for _, line := range r.lines {
			if len(line) > maxLine || strings.Contains(line, "\n") {
				t.Fatalf("read(%q) has the line %q", text, line)
			}
		}
	})
}
