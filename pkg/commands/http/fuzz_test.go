package http

import (
	"bytes"
	"encoding/json"
	"net"
	"testing"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
)

// FuzzAnswer: whatever a server answers, there is a result or an error, and its
// text is short.
func FuzzAnswer(f *testing.F) {
	for _, text := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
		"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 404 \x1b[2J\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b", "HTTP/1.1 302 Found\r\nLocation: //other/\r\n\r\n", "HTTP/1.0 999 \r\n\r\n", "\x00", "SSH-2.0-x\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: -1\r\nContent-Length: 7\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
	} {
		f.Add([]byte(text), uint16(1))
		f.Add([]byte(text), uint16(3000))
	}
	answers := make(chan []byte)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { l.Close() })
	go answerAll(l, answers)
	f.Fuzz(func(t *testing.T, answer []byte, n uint16) {
		if n == 0 || int(n)*len(answer) > 2<<20 {
			return
		}
		p := Defaults()
		if err := json.Unmarshal([]byte(`{"url":"http://`+l.Addr().String()+`/","expect_body":"a+b?c","expect_json":["a.b == 1"],"timeout":"2s"}`), &p); err != nil {
			t.Fatal(err)
		}
		c, err := New(tools.Tools{})(p)
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			select {
			case answers <- bytes.Repeat(answer, int(n)):
			case <-done:
			}
		}()
		res, err := c.Run(t.Context(), check.Run{})
		close(done)
		if err == nil && len(res.Text) > 16*check.MaxText {
			t.Errorf("the text has %d bytes", len(res.Text))
		}
	})
}

// answerAll gives each connection the next answer and hangs up, in a way that
// leaves no port in use.
func answerAll(l net.Listener, answers <-chan []byte) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			head := make([]byte, 4<<10)
			if _, err := c.Read(head); err != nil {
				return
			}
			_, _ = c.Write(<-answers)
			_ = c.(*net.TCPConn).SetLinger(0)
		}()
	}
}
