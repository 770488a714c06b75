package tcp

import (
	"net"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/redpoll/redpoll/pkg/check"
)

// FuzzAnswer: an answer that comes in any pieces is judged as a whole, and what
// is shown of it draws on no terminal.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte("220 mail.example.net ESMTP\r\n"), byte(7))
	f.Add([]byte("no\x1b[2J\x00\xff\u202e"), byte(1))
	f.Add([]byte(""), byte(0))
	f.Add([]byte(strings.Repeat("x", maxAnswer)+"220"), byte(255))
	expect := regexp.MustCompile("220")
	f.Fuzz(func(t *testing.T, answer []byte, piece byte) {
		ours, theirs := net.Pipe()
		defer ours.Close()
		go func() {
			defer theirs.Close()
			for rest := answer; len(rest) > 0; {
				n := min(len(rest), max(int(piece)*64, 1))
				if _, err := theirs.Write(rest[:n]); err != nil {
					return
				}
				rest = rest[n:]
			}
		}()
		c := &command{Params: Params{Expect: "220"}, expect: expect}
		var g check.Grade
		if err := c.talk(ours, &g); err != nil {
			t.Fatal(err)
		}
		want := check.StateOK
		if !expect.Match(answer[:min(len(answer), maxAnswer)]) {
			want = check.StateCrit
		}
		text := g.Result(time.Now(), nil).Text
		if g.State() != want || !utf8.ValidString(text) || strings.ContainsAny(text, "\x1b\x00\n\u202e") {
			t.Errorf("%q is %s, want %s: %q", answer[:min(len(answer), 100)], g.State(), want, text)
		}
	})
}
