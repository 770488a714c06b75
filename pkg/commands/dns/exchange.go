package dns

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"time"
)

// maxDatagram is what we read of an answer over UDP. We offer udpSize; some
// servers send up to the older habit of 4096.
const maxDatagram = 4096

// exchange asks the server and gives its answer. ctx has a deadline.
func (c *command) exchange(ctx context.Context) (answer, error) {
	message := make([]byte, len(c.message))
	copy(message, c.message)
	id := uint16(rand.Uint32())
	setID(message, id)
	if c.Transport != "udp" {
		return c.stream(ctx, message, id)
	}
	a, err := c.datagram(ctx, message, id)
	if err == nil && a.truncated {
		return c.stream(ctx, message, id)
	}
	return a, err
}

// dial connects; the end of ctx cuts the connection's reads and writes off.
func (c *command) dial(ctx context.Context, network string) (nc net.Conn, done func(), err error) {
	nc, err = c.dialer.DialContext(ctx, network, c.addr)
	if err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = nc.SetDeadline(time.Unix(1, 0)) })
	return nc, func() { stop(); _ = nc.Close() }, nil
}

// datagram asks over UDP, Tries times at equal distances until an answer comes.
func (c *command) datagram(ctx context.Context, message []byte, id uint16) (answer, error) {
	nc, done, err := c.dial(ctx, "udp")
	if err != nil {
		return answer{}, err
	}
	defer done()
	buf, ok := c.buffers.Get().(*[maxDatagram]byte)
	if !ok {
		buf = new([maxDatagram]byte)
	}
	defer c.buffers.Put(buf)
	end, _ := ctx.Deadline()
	pause := time.Until(end) / time.Duration(c.Tries)
	for try := 1; ; try++ {
		if _, err := nc.Write(message); err != nil {
			return answer{}, err
		}
		until := end
		if try < c.Tries {
			until = time.Now().Add(pause)
		}
		a, err := c.receive(ctx, nc, buf[:], id, until)
		if try == c.Tries || !errors.Is(err, os.ErrDeadlineExceeded) || ctx.Err() != nil {
			return a, err
		}
	}
}

// receive reads datagrams until the answer is among them. What has another id
// or answers another question is late or forged, and is passed over.
func (c *command) receive(ctx context.Context, nc net.Conn, buf []byte, id uint16, until time.Time) (answer, error) {
	if err := nc.SetReadDeadline(until); err != nil {
		return answer{}, err
	}
	if err := ctx.Err(); err != nil {
		return answer{}, err // it ended before the new deadline and was overwritten by it
	}
	for {
		n, err := nc.Read(buf)
		if err != nil {
			return answer{}, err
		}
		if !hasID(buf[:n], id) {
			continue
		}
		a, err := c.codec.unpack(buf[:n], c.question)
		if !errors.Is(err, errOther) {
			return a, err
		}
	}
}

// stream asks over TCP, with TLS or without.
func (c *command) stream(ctx context.Context, message []byte, id uint16) (answer, error) {
	nc, done, err := c.dial(ctx, "tcp")
	if err != nil {
		return answer{}, err
	}
	defer done()
	if c.tls != nil {
		secured := tls.Client(nc, c.tls)
		if err := secured.HandshakeContext(ctx); err != nil {
			return answer{}, fmt.Errorf("TLS: %w", err)
		}
		nc = secured
	}
	framed := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(message)), uint16(len(message)))
	if _, err := nc.Write(append(framed, message...)); err != nil {
		return answer{}, err
	}
	var size [2]byte
	if _, err := io.ReadFull(nc, size[:]); err != nil {
		return answer{}, fmt.Errorf("read the answer: %w", err)
	}
	buf := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(nc, buf); err != nil {
		return answer{}, fmt.Errorf("read the answer: %w", err)
	}
	if !hasID(buf, id) {
		return answer{}, errOther
	}
	return c.codec.unpack(buf, c.question)
}
