package mysql_test

import (
	"io"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/redpoll/redpoll/internal/peertest"
	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands/internal/sqlcheck/sqltest"
)

func FuzzServer(f *testing.F) {
	hello := "\x4a\x00\x00\x00\x0a8.0.99-fake\x00\x01\x00\x00\x00salt1234\x00\x08\xa2\x2d\x02\x00\x08\x00\x15\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00salt56789012\x00mysql_native_password\x00"
	ok := "\x07\x00\x00\x02\x00\x00\x00\x02\x00\x00\x00"
	sqltest.Fuzz(f, factory, "", hello, hello+ok, hello+"\x2c\x00\x00\x02\xfecaching_sha2_password\x00salt1234567890123456\x00", "\x10\x00\x00\x00\xff\x15\x04#28000no entry", "\xff\xff\xff\x00\x0a", "HTTP/1.1 400 Bad Request\r\n\r\n")
}

// TestNonsense: the driver panics over a greeting that ends too soon. That is a
// finding like another, and its connection is closed.
func TestNonsense(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{}, 100)
	port := peertest.Accept(t, func(nc net.Conn) {
		_, _ = nc.Write([]byte("\x01\x00\x00\x000"))
		_, _ = io.Copy(io.Discard, nc)
		gone <- struct{}{}
	})
	at := `"host":"127.0.0.1","port":` + strconv.Itoa(port) + `,"user":"monitor"`
	for range 3 {
		res := sqltest.Want(t, factory, doc, at, `{"timeout":"5s"}`, check.StateCrit, "SQL_QRY_FAILURE")
		if !strings.Contains(res.Text, "make no sense") {
			t.Fatalf("text %q", res.Text)
		}
		<-gone // the connection was closed
	}
}
