package smtp

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/redpoll/redpoll/pkg/commands/internal/conn"
)

const (
	// maxLine is eight times what RFC 5321 (4.5.3.1.5) allows a server.
	maxLine = 4 << 10
	// maxLines is far more than any server has extensions.
	maxLines = 100
)

// Codes of RFC 5321 and RFC 3207.
const (
	codeReady = 220
	codeOK    = 250
)

// reply is a server's answer: at least one line, each with the code in front.
type reply struct {
	code  int
	lines []string
}

// String gives the lines as they came, joined by \n.
func (r reply) String() string { return strings.Join(r.lines, "\n") }

// oddReply is an answer that ends the conversation early.
type oddReply struct {
	to    string
	reply reply
}

func (e *oddReply) Error() string { return fmt.Sprintf("answer to %s: %.200s", e.to, e.reply) }

// session is one conversation with a server.
type session struct {
	*command
	trace conn.Trace
	conn  net.Conn
	in    *bufio.Reader
	state *tls.ConnectionState // nil without TLS
}

func (s *session) use(nc net.Conn) {
	s.conn, s.in = nc, bufio.NewReaderSize(nc, maxLine)
}

// greet goes as far as the answer to our greeting, under TLS when that is
// wanted.
func (s *session) greet(ctx context.Context) (reply, error) {
	if s.TLS {
		if err := s.secure(ctx); err != nil {
			return reply{}, err
		}
	}
	r, err := s.read()
	if err != nil {
		return r, fmt.Errorf("read the banner: %w", err)
	}
	if r.code != codeReady {
		return r, &oddReply{"the connection", r}
	}
	if r, err = s.hello(); err != nil || !s.StartTLS {
		return r, err
	}
	if r.code != codeOK {
		return r, &oddReply{"EHLO", r}
	}
	if r, err = s.ask("STARTTLS"); err != nil {
		return r, err
	}
	if r.code != codeReady {
		return r, &oddReply{"STARTTLS", r}
	}
	if s.in.Buffered() > 0 {
		// Somebody put it there who cannot speak TLS in the server's name.
		return r, errors.New("the server spoke on in plain text after it had agreed to TLS")
	}
	if err := s.secure(ctx); err != nil {
		return r, err
	}
	return s.hello()
}

// hello greets with EHLO, and with HELO a server that does not know EHLO.
func (s *session) hello() (reply, error) {
	r, err := s.ask("EHLO " + s.Helo)
	if err == nil && (r.code == 500 || r.code == 502) {
		return s.ask("HELO " + s.Helo)
	}
	return r, err
}

// secure puts TLS over the connection.
func (s *session) secure(ctx context.Context) error {
	t := tls.Client(s.conn, s.tls)
	s.trace.StartTLS()
	if err := t.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("TLS: %w", err)
	}
	s.trace.EndTLS()
	state := t.ConnectionState()
	s.state = &state
	s.use(t)
	return nil
}

// ask sends a line and reads the answer.
func (s *session) ask(line string) (reply, error) {
	if _, err := io.WriteString(s.conn, line+"\r\n"); err != nil {
		return reply{}, fmt.Errorf("send: %w", err)
	}
	r, err := s.read()
	if err != nil {
		word, _, _ := strings.Cut(line, " ")
		return r, fmt.Errorf("read the answer to %s: %w", word, err)
	}
	return r, nil
}

// quit takes leave, so that servers do not log a lost connection.
func (s *session) quit() {
	_ = s.conn.SetDeadline(time.Now().Add(farewell))
	_, _ = s.ask("QUIT")
}

// read reads one reply of one or more lines.
func (s *session) read() (reply, error) {
	var r reply
	for len(r.lines) < maxLines {
		line, err := s.in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			return r, fmt.Errorf("a line of more than %d bytes", maxLine)
		}
		if err != nil {
			return r, err
		}
		code, more, err := parseLine(line)
		if err == nil && len(r.lines) > 0 && code != r.code {
			err = fmt.Errorf("the code changes from %d to %d", r.code, code)
		}
		if err != nil {
			return r, err
		}
		r.code = code
		r.lines = append(r.lines, strings.TrimRight(string(line), "\r\n"))
		if !more {
			return r, nil
		}
	}
	return r, fmt.Errorf("a reply of more than %d lines", maxLines)
}

// parseLine reads the code of a line, and whether more lines follow.
func parseLine(line []byte) (code int, more bool, err error) {
	text := strings.TrimRight(string(line), "\r\n")
	if len(text) >= 3 && (len(text) == 3 || text[3] == ' ' || text[3] == '-') && text[0] >= '2' && text[0] <= '5' {
		if n, err := strconv.ParseUint(text[:3], 10, 16); err == nil {
			return int(n), len(text) > 3 && text[3] == '-', nil
		}
	}
	return 0, false, fmt.Errorf("%.80q is no line of SMTP", text)
}
