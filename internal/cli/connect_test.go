package cli

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
)

// certificate borrows the one that Go's test server has for 127.0.0.1, and
// writes it and its key into files.
func certificate(t *testing.T) (pair tls.Certificate, cert, key string) {
	t.Helper()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	pair = server.TLS.Certificates[0]
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	for file, block := range map[string]*pem.Block{
		cert: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, key: {Type: "PRIVATE KEY", Bytes: der},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return pair, cert, key
}

func TestTLS(t *testing.T) {
	t.Parallel()
	pair, cert, key := certificate(t)
	roots := x509.NewCertPool()
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	roots.AddCert(leaf)
	m := miniredis.NewMiniRedis()
	if err := m.StartTLS(&tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: roots, ClientAuth: tls.RequireAnyClientCert}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	m.RequireAuth("hush")
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("hush\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	url := "rediss://" + m.Addr()
	tests := []struct {
		name string
		args []string
		want int
		text string
	}{
		{"all is right", []string{"--redis-ca", cert, "--redis-cert", cert, "--redis-key", key, "--redis-password-file", password}, ExitOK, "ID"},
		{"a CA makes it TLS", []string{"--redis", "redis://" + m.Addr(), "--redis-ca", cert, "--redis-cert", cert, "--redis-key", key, "--redis-password-file", password}, ExitOK, "ID"},
		{"unknown CA", []string{"--redis-cert", cert, "--redis-key", key}, ExitUnreachable, "certificate"},
		{"no password", []string{"--redis-ca", cert, "--redis-cert", cert, "--redis-key", key}, ExitUsage, "password"},
		{"certificate without key", []string{"--redis-cert", cert}, ExitUsage, "one needs the other"},
		{"no such file", []string{"--redis-ca", "missing"}, ExitUsage, "redis-ca"},
		{"no certificate in it", []string{"--redis-ca", password}, ExitUsage, "there is no certificate in"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out, errs strings.Builder
			s := Streams{Getenv: func(string) string { return "" }, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs}
			code := Main(t.Context(), append([]string{"get", "--redis", url}, tt.args...), s)
			if code != tt.want || !strings.Contains(out.String()+errs.String(), tt.text) {
				t.Errorf("get %q = %d\n%s%s, want %d and %q", tt.args, code, out.String(), errs.String(), tt.want, tt.text)
			}
			if strings.Contains(out.String()+errs.String(), "hush") {
				t.Error("the password is shown")
			}
		})
	}
}
