package http

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/check/checktest"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
)

// raw serves one thing to all who connect: talk gets the request's head.
func raw(t *testing.T, talk func(c net.Conn, head string)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				var head strings.Builder
				for r := bufio.NewReader(c); !strings.HasSuffix(head.String(), "\r\n\r\n"); {
					line, err := r.ReadString('\n')
					if err != nil {
						return
					}
					head.WriteString(line)
				}
				talk(c, head.String())
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

func TestWire(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, answer, more, reason, text string
	}{
		{"until the end", "HTTP/1.1 200 OK\r\n\r\nhello", `"expect_body":"^hello$"`, "", "HTTP/1.1 200 OK"},
		{"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhello", `"expect_body":"^he$"`, "", "HTTP/1.0 200 OK"},
		{"interim answers", strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", 3) + "HTTP/1.1 200 OK\r\n\r\n", ``, "", "200 OK"},
		{"interim answers only", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 9), ``, "CONNECTION_ERROR", "interim"},
		{"chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", `"expect_body":"^abc$"`, "", "200"},
		{"half a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n30\r\nabc", ``, "CONNECTION_ERROR", "body"},
		{"half a body", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", ``, "CONNECTION_ERROR", "body"},
		{"nothing", "", ``, "CONNECTION_ERROR", "closed before the answer"},
		{"half a head", "HTTP/1.1 200 OK\r\nA: b\r\n", ``, "CONNECTION_ERROR", "closed before the answer"},
		{"no HTTP", "220 mail.example ESMTP\r\n", ``, "CONNECTION_ERROR", "malformed"},
		{"large head", "HTTP/1.1 200 OK\r\nA: " + strings.Repeat("b", maxHeader) + "\r\n\r\n", ``, "CONNECTION_ERROR", "larger than 65536"},
		{"characters that turn text round", "HTTP/1.1 200 \x1b[31mred\r\nX: a\u202eb\r\n\r\n", `"expect_headers":{"X":"^y"}`, reasonHeader, `a\u202eb`},
		{"odd status", "HTTP/1.1 999 Odd\r\n\r\n", ``, reasonStatus, "999"},
		{"letters in the host", "HTTP/1.1 200 OK\r\n\r\n", `"expect_body":"host: xn--bcher-kva.example"`, "", "200"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			addr := raw(t, func(c net.Conn, head string) {
				_, _ = io.WriteString(c, tt.answer)
				if tt.name == "letters in the host" {
					_, _ = io.WriteString(c, strings.ToLower(head))
				}
			})
			params := fmt.Sprintf(`{"url":"http://bücher.example/","connect":%q,"resp_warn":"0s","resp_crit":"0s"%s}`,
				strings.TrimPrefix(addr, "http://"), strings.TrimSuffix(","+tt.more, ","))
			res, err := run(t, tools.Tools{}, params)
			if err != nil || res.Reason != tt.reason || !strings.Contains(res.Text, tt.text) {
				t.Fatalf("Run(%s) = %+v, %v, want %q and %q", params, res, err, tt.reason, tt.text)
			}
			checktest.Result(t, doc, res)
		})
	}
}

// TestEcho: a target that sends the request back as an answer, well made or
// not, does not get a secret into the result.
func TestEcho(t *testing.T) {
	t.Parallel()
	for _, begin := range []string{"", "HTTP/1.1 ", "HTTP/1.1 200 OK\r\n ", "HTTP/1.1 200 OK\r\nX: ", "HTTP/1.1 200 OK\r\nContent-Length: "} {
		addr := raw(t, func(c net.Conn, head string) {
			_, secret, _ := strings.Cut(head, "Bearer ")
			_, _ = io.WriteString(c, begin+secret+"\r\n\r\n"+secret)
		})
		for _, more := range []string{``, `,"expect_headers":{"X":"^y"}`, `,"expect_body":"^y"`, `,"expect_json":"a == 1"`} {
			params := fmt.Sprintf(`{"url":%q,"bearer":{"secret":"login"}%s}`, addr, more)
			res, err := run(t, secrets(t, canary, "127.0.0.1"), params)
			if all, _ := json.Marshal(res); strings.Contains(string(all)+fmt.Sprint(err), canary) {
				t.Fatalf("the secret shows: %s, %v", all, err)
			}
			if err != nil || more != "" && res.State == check.StateOK {
				t.Fatalf("Run(%s) after %q = %+v, %v, want CRIT", params, begin, res, err)
			}
		}
	}
}
