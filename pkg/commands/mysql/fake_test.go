package mysql_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/redpoll/redpoll/internal/peertest"
	"github.com/redpoll/redpoll/pkg/commands/internal/sqlcheck/sqltest"
)

// fake is a server that knows as much of MySQL's protocol as one query needs.
type fake struct {
	auth  string                                         // the plugin that it switches to
	heard func(packet []byte)                            // each packet of the client
	reply func(query string) (packets [][]byte, ok bool) // before sqltest.Answer
}

// start serves until the test ends and gives host, port and user as params.
func (f fake) start(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf(`"host":"127.0.0.1","port":%d,"user":"monitor"`, peertest.Accept(t, func(nc net.Conn) { f.serve(&wire{nc: nc, heard: f.heard}) }))
}

const status = "\x02\x00" // autocommit

func (f fake) serve(w *wire) {
	const caps = 0x0008_a208 // with db, 4.1, transactions, secure connection, plugins
	hello := "\x0a8.0.99-fake\x00\x01\x00\x00\x00salt1234\x00"
	hello += string(binary.LittleEndian.AppendUint16(nil, caps&0xffff)) + "\x2d" + status
	hello += string(binary.LittleEndian.AppendUint16(nil, caps>>16)) + "\x15" + strings.Repeat("\x00", 10) + "salt56789012\x00mysql_native_password\x00"
	w.write(hello)
	if _, ok := w.read(); !ok {
		return
	}
	if f.auth != "" {
		w.write("\xfe" + f.auth + "\x00salt1234567890123456\x00")
		if _, ok := w.read(); !ok {
			return
		}
	}
	w.ok()
	for {
		w.seq = 0
		p, ok := w.read()
		if !ok || p[0] == 1 { // COM_QUIT
			return
		}
		f.query(w, string(p[1:]))
	}
}

func (f fake) query(w *wire, query string) {
	if strings.HasPrefix(query, "SET ") || strings.HasPrefix(query, "START ") {
		w.ok()
		return
	}
	if f.reply != nil {
		if packets, ok := f.reply(query); ok {
			for _, p := range packets {
				w.write(string(p))
			}
			return
		}
	}
	cells, fault, ok := sqltest.Answer(query)
	switch {
	case !ok:
	case fault != "":
		w.write("\xff\x28\x04#42000" + fault)
	default:
		w.head()
		for _, c := range cells {
			if c == nil {
				w.write("\xfb")
			} else {
				w.write(string(rune(len(*c))) + *c)
			}
		}
		w.eof()
	}
}

// wire reads and writes packets.
type wire struct {
	nc    net.Conn
	seq   byte
	heard func([]byte)
}

func (w *wire) read() ([]byte, bool) {
	var head [4]byte
	if _, err := io.ReadFull(w.nc, head[:]); err != nil {
		return nil, false
	}
	w.seq = head[3] + 1
	p := make([]byte, int(head[0])|int(head[1])<<8|int(head[2])<<16)
	if _, err := io.ReadFull(w.nc, p); err != nil {
		return nil, false
	}
	if w.heard != nil {
		w.heard(p)
	}
	return p, len(p) > 0
}

func (w *wire) write(p string) {
	n := len(p)
	_, _ = w.nc.Write(append([]byte{byte(n), byte(n >> 8), byte(n >> 16), w.seq}, p...))
	w.seq++
}

func (w *wire) ok() { w.write("\x00\x00\x00" + status + "\x00\x00") }

func (w *wire) eof() { w.write("\xfe\x00\x00" + status) }

// head begins a result of one text column.
func (w *wire) head() {
	w.write("\x01")
	w.write("\x03def\x00\x00\x00\x01v\x00\x0c\x2d\x00\xff\x00\x00\x00\xfd\x00\x00\x00\x00\x00")
	w.eof()
}
