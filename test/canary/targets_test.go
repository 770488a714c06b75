package canary

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/gosnmp/gosnmp"
)

// listener keeps what targets were told.
type listener struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

func (l *listener) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *listener) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// listen opens a port and gives each connection to talk.
func listen(t *testing.T, addr string, talk func(net.Conn)) (port int) {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer nc.Close()
				talk(nc)
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

// listenUDP gives each packet to answer and sends what comes back.
func listenUDP(t *testing.T, addr string, answer func([]byte) []byte) (port int) {
	t.Helper()
	c, err := net.ListenPacket("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	go func() {
		buf := make([]byte, 64<<10)
		for {
			n, from, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			if b := answer(buf[:n:n]); b != nil {
				_, _ = c.WriteTo(b, from)
			}
		}
	}()
	return c.LocalAddr().(*net.UDPAddr).Port
}

// stranger is 127.0.0.2, whom no secret may be sent to: TCP and UDP ports that
// keep all they hear.
func stranger(t *testing.T, heard *listener) (tcp, udp int) {
	tcp = listen(t, "127.0.0.2:0", func(nc net.Conn) { _, _ = io.Copy(heard, nc) })
	udp = listenUDP(t, "127.0.0.2:0", func(b []byte) []byte {
		_, _ = heard.Write(b)
		return nil
	})
	return tcp, udp
}

// parrot is a web server that says back what it was told, in every way there is.
func parrot(t *testing.T, heard *listener, strangerPort int) (port int) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		said := r.Header.Get("Authorization") + r.Header.Get("X-Token")
		_, _ = io.WriteString(heard, said+"\n")
		token := said[strings.LastIndexByte(said, ' ')+1:]
		switch r.URL.Path {
		case "/away":
			w.Header().Set("Location", fmt.Sprintf("http://127.0.0.2:%d/", strangerPort)) // it could tell the token there itself
			w.WriteHeader(http.StatusFound)
		case "/name":
			w.Header().Set("Location", "http://"+strings.TrimRight(token, "=")+".invalid/")
			w.WriteHeader(http.StatusFound)
		case "/junk":
			nc, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_, _ = fmt.Fprintf(nc, "%s\r\nHTTP/1.1 %s\r\n%s: x\r\n", said, said, said)
				_ = nc.Close()
			}
		case "/header":
			nc, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_, _ = fmt.Fprintf(nc, "HTTP/1.1 200 %s\r\n%s\r\n\r\n", said, said)
				_ = nc.Close()
			}
		default:
			w.Header().Set("X-Said", said)
			w.Header().Set("Content-Encoding", r.URL.Query().Get("encoding"))
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(map[string]any{"said": said, "token": token, token: 1})
		}
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().(*net.TCPAddr).Port
}

// parrotAgent is a device whose every object is the community.
func parrotAgent(t *testing.T, heard *listener) (port int) {
	return listenUDP(t, "127.0.0.1:0", func(b []byte) []byte {
		_, _ = heard.Write(b)
		decoder := &gosnmp.GoSNMP{Version: gosnmp.Version2c}
		p, err := decoder.SnmpDecodePacket(b)
		if err != nil {
			return b
		}
		p.PDUType = gosnmp.GetResponse
		for i := range p.Variables {
			p.Variables[i].Type, p.Variables[i].Value = gosnmp.OctetString, p.Community
		}
		answer, err := p.MarshalMsg()
		if err != nil {
			return b
		}
		return answer
	})
}
