package rrdcached

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

const (
	dialTime = 5 * time.Second
	maxReply = 4 << 10 // bytes of a line
)

// client is a connection to an rrdcached, which is made when it is needed. Only
// the sender uses it.
type client struct {
	network, addr string
	conn          net.Conn
	in            *bufio.Reader
}

// refusal is the answer to one command of a batch.
type refusal struct {
	command int // which, from 0
	text    string
}

// batch has n commands carried out, each a line of text, and gives those that
// were refused. After an error it is unknown how far the server came.
func (c *client) batch(ctx context.Context, text []byte, n int) ([]refusal, error) {
	old := c.conn != nil
	refused, err := c.exchange(ctx, text, n)
	if err != nil && old && ctx.Err() == nil && gone(err) {
		// The server hung up some time ago: nothing is wrong with it now, maybe.
		refused, err = c.exchange(ctx, text, n)
	}
	return refused, err
}

// gone says whether an error is one of a connection that was closed.
func gone(err error) bool {
	var op *net.OpError
	return errors.Is(err, io.EOF) || errors.As(err, &op) && !op.Timeout()
}

func (c *client) exchange(ctx context.Context, text []byte, n int) (refused []refusal, err error) {
	if err := c.connect(ctx); err != nil {
		return nil, err
	}
	conn := c.conn
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer func() {
		if !stop() && err == nil {
			err = ctx.Err() // the deadline stands: of no further use
		}
		if err != nil {
			c.close()
		}
	}()
	if err := c.write([]byte("BATCH\n")); err != nil {
		return nil, err
	}
	if _, err := c.status(); err != nil {
		return nil, err
	}
	if err := c.write(text, []byte(".\n")); err != nil {
		return nil, err
	}
	lines, err := c.status()
	if err == nil && lines > n {
		err = fmt.Errorf("%d errors for %d commands", lines, n)
	}
	for range lines {
		if err != nil {
			return nil, err
		}
		var r refusal
		if r, err = c.refusal(n); err == nil {
			refused = append(refused, r)
		}
	}
	return refused, err
}

func (c *client) connect(ctx context.Context) error {
	if c.conn != nil {
		return nil
	}
	conn, err := (&net.Dialer{Timeout: dialTime}).DialContext(ctx, c.network, c.addr)
	if err != nil {
		return err
	}
	c.conn, c.in = conn, bufio.NewReaderSize(conn, maxReply)
	return nil
}

func (c *client) write(parts ...[]byte) error {
	buffers := net.Buffers(parts)
	_, err := buffers.WriteTo(c.conn)
	return err
}

// line reads a line of an answer.
func (c *client) line() (string, error) {
	b, err := c.in.ReadSlice('\n')
	if err != nil {
		return "", fmt.Errorf("read the answer: %w", err)
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}

// status reads the first line of an answer: how many lines follow, or a
// negative number and a complaint.
func (c *client) status() (lines int, err error) {
	text, err := c.line()
	if err != nil {
		return 0, err
	}
	number, _, _ := strings.Cut(text, " ")
	lines, err = strconv.Atoi(number)
	if err != nil || lines < 0 {
		return 0, fmt.Errorf("the server says %.200q", text)
	}
	return lines, nil
}

// refusal reads one line of a list of errors.
func (c *client) refusal(n int) (refusal, error) {
	text, err := c.line()
	if err != nil {
		return refusal{}, err
	}
	number, rest, _ := strings.Cut(text, " ")
	i, err := strconv.Atoi(number)
	if err != nil || i < 1 || i > n {
		return refusal{}, fmt.Errorf("the server says %.200q about no command", text)
	}
	return refusal{i - 1, rest}, nil
}

func (c *client) close() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}
