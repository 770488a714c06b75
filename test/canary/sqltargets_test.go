package canary

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"testing"
)

// parrotPostgres is a data base server that wants the password as it is and
// says it back. It speaks TLS with those who ask, if config is not nil.
func parrotPostgres(t *testing.T, heard *listener, config *tls.Config) (port int) {
	return listen(t, "127.0.0.1:0", func(nc net.Conn) {
		message := func(typed bool) []byte { // nil at the end
			head := make([]byte, 4, 5)
			if typed {
				head = head[:5]
			}
			if _, err := io.ReadFull(nc, head); err != nil {
				return nil
			}
			n := binary.BigEndian.Uint32(head[len(head)-4:])
			if n < 4 || n > 10_000 {
				return nil
			}
			body := make([]byte, n-4)
			if _, err := io.ReadFull(nc, body); err != nil {
				return nil
			}
			_, _ = heard.Write(body)
			return body
		}
		const wantsTLS = 80877103
		first := message(false)
		if len(first) == 4 && binary.BigEndian.Uint32(first) == wantsTLS {
			if config == nil {
				_, _ = io.WriteString(nc, "N")
			} else {
				_, _ = io.WriteString(nc, "S")
				nc = tls.Server(nc, config)
			}
			first = message(false)
		}
		if first == nil {
			return
		}
		_, _ = nc.Write([]byte{'R', 0, 0, 0, 8, 0, 0, 0, 3})
		password := message(true)
		if password == nil {
			return
		}
		text := fmt.Appendf(nil, "SFATAL\x00VFATAL\x00C28P01\x00Mthe password %s is wrong\x00D%[1]s\x00H%[1]s\x00\x00", bytes.Trim(password, "\x00"))
		_, _ = nc.Write(append(binary.BigEndian.AppendUint32([]byte{'E'}, uint32(len(text)+4)), text...))
	})
}

// parrotMySQL is the same for the protocol of MySQL.
func parrotMySQL(t *testing.T, heard *listener, config *tls.Config) (port int) {
	return listen(t, "127.0.0.1:0", func(nc net.Conn) {
		write := func(seq byte, body []byte) {
			n := len(body)
			_, _ = nc.Write(append([]byte{byte(n), byte(n >> 8), byte(n >> 16), seq}, body...))
		}
		read := func() (seq byte, body []byte) {
			var head [4]byte
			if _, err := io.ReadFull(nc, head[:]); err != nil {
				return 0, nil
			}
			body = make([]byte, int(head[0])|int(head[1])<<8|int(head[2])<<16)
			if _, err := io.ReadFull(nc, body); err != nil {
				return 0, nil
			}
			_, _ = heard.Write(body)
			return head[3], body
		}
		const protocol41, tlsFlag, secure, pluginAuth = 0x200, 0x800, 0x8000, 0x80000
		flags := uint32(protocol41 | secure | pluginAuth)
		if config != nil {
			flags |= tlsFlag
		}
		greeting := append([]byte("\x0a8.0.1\x00\x01\x00\x00\x0012345678\x00"), byte(flags), byte(flags>>8), 33, 2, 0, byte(flags>>16), byte(flags>>24), 21)
		greeting = append(greeting, make([]byte, 10)...)
		write(0, append(greeting, "123456789012\x00mysql_native_password\x00"...))
		seq, first := read()
		if len(first) == 32 && config != nil { // asks for TLS
			nc = tls.Server(nc, config)
			seq, first = read()
		}
		if first == nil {
			return
		}
		write(seq+1, []byte("\xfemysql_clear_password\x00\x00"))
		seq, password := read()
		if password == nil {
			return
		}
		write(seq+1, fmt.Appendf(nil, "\xff\x15\x04#28000the password %s is wrong", bytes.Trim(password, "\x00")))
	})
}
