package redisqueue

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"
)

// dialTimeout is how long a connection may take to be made, TLS included.
const dialTimeout = 5 * time.Second

// maxCredential bounds what is read of a password's or certificate's file.
const maxCredential = 1 << 20

// errSilent: Redis takes the beginning of a handshake for half a command.
var errSilent = errors.New("no answer to the handshake")

// Security is what a connection needs beyond its URL; the zero value is none.
// Files are read anew for each connection, so that passwords and certificates
// can be replaced while a program runs.
type Security struct {
	// Username and Password win over those of the URL.
	Username, Password string
	// PasswordFile holds the password, and wins over Password. Line breaks at
	// its end are cut off.
	PasswordFile string
	// SentinelUsername, SentinelPassword and SentinelPasswordFile are what the
	// Sentinels ask for themselves; none: they are told nothing. The file is read
	// once.
	SentinelUsername, SentinelPassword, SentinelPasswordFile string
	// CAFile holds the certificates that sign that of the server; empty: those
	// of the system do.
	CAFile string
	// CertFile and KeyFile hold what is shown to a server that asks for it.
	CertFile, KeyFile string
	// ServerName is the name in the server's certificate; empty: the host that
	// is connected to.
	ServerName string
	// TLS is what the files are put into. It may be nil.
	TLS *tls.Config
	// Dialed is told of each connection that was made, to servers and to
	// Sentinels; nil: nobody is.
	Dialed func(remote net.Addr)
}

// wantsTLS tells that TLS is used also where the URL does not ask for it.
func (s Security) wantsTLS() bool {
	return s.TLS != nil || s.CAFile != "" || s.CertFile != "" || s.KeyFile != "" || s.ServerName != ""
}

// check reads all files once and gives every fault at once.
func (s Security) check() error {
	_, errTLS := s.config()
	_, errPassword := s.password()
	_, errSentinel := s.sentinelPassword()
	return errors.Join(errTLS, errPassword, errSentinel)
}

// config makes the settings of one connection.
func (s Security) config() (*tls.Config, error) {
	conf := &tls.Config{}
	if s.TLS != nil {
		conf = s.TLS.Clone()
	}
	conf.MinVersion = max(conf.MinVersion, tls.VersionTLS12)
	if s.ServerName != "" {
		conf.ServerName = s.ServerName
	}
	var errs []error
	if s.CAFile != "" {
		text, err := readBounded(s.CAFile)
		conf.RootCAs = x509.NewCertPool()
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("redis-ca: %w", err))
		case !conf.RootCAs.AppendCertsFromPEM(text):
			errs = append(errs, fmt.Errorf("redis-ca: there is no certificate in %s", s.CAFile))
		}
	}
	switch {
	case (s.CertFile == "") != (s.KeyFile == ""):
		errs = append(errs, errors.New("redis-cert and redis-key: one needs the other"))
	case s.CertFile != "":
		pair, err := tls.LoadX509KeyPair(s.CertFile, s.KeyFile)
		if err != nil {
			errs = append(errs, fmt.Errorf("redis-cert %s, redis-key %s: %w", s.CertFile, s.KeyFile, err))
		}
		conf.Certificates = []tls.Certificate{pair}
	}
	return conf, errors.Join(errs...)
}

// dialFunc makes a connection.
type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// dialer connects, over TLS if secure is set.
func (s Security) dialer(secure bool, timeout time.Duration) dialFunc {
	dial := dialFunc(new(net.Dialer).DialContext)
	if secure {
		dial = s.dialTLS
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		conn, err := dial(ctx, network, addr)
		if err == nil && s.Dialed != nil {
			s.Dialed(conn.RemoteAddr())
		}
		return conn, err
	}
}

func (s Security) dialTLS(ctx context.Context, network, addr string) (net.Conn, error) {
	conf, err := s.config()
	if err != nil {
		return nil, err
	}
	if conf.ServerName == "" {
		conf.ServerName, _, _ = net.SplitHostPort(addr)
	}
	raw, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(raw, conf)
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close() // it was never used
		if ctx.Err() != nil {
			err = fmt.Errorf("%w: %w", errSilent, ctx.Err())
		}
		return nil, fmt.Errorf("TLS with redis at %s: %w", addr, err)
	}
	return conn, nil
}

// credentials gives user and password for each new connection; nil when they
// do not change.
func (s Security) credentials(user string) func(context.Context) (string, string, error) {
	if s.PasswordFile == "" {
		return nil
	}
	return func(context.Context) (string, string, error) {
		password, err := s.password()
		return user, password, err
	}
}

func (s Security) password() (string, error) {
	return passwordOf("redis-password-file", s.Password, s.PasswordFile)
}

// sentinelPassword is what the Sentinels themselves ask for. A user without a
// password is said nothing of by the client, and is a mistake.
func (s Security) sentinelPassword() (string, error) {
	password, err := passwordOf("redis-sentinel-password-file", s.SentinelPassword, s.SentinelPasswordFile)
	if err == nil && password == "" && s.SentinelUsername != "" {
		err = errors.New("redis-sentinel-user: needs redis-sentinel-password")
	}
	return password, err
}

// passwordOf gives the text of a password's file, or the password when there is
// no file.
func passwordOf(setting, password, file string) (string, error) {
	if file == "" {
		return password, nil
	}
	text, err := readBounded(file)
	if err != nil {
		return "", fmt.Errorf("%s: %w", setting, err)
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}

func readBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxCredential {
		return nil, fmt.Errorf("%s has %d bytes, want at most %d", path, info.Size(), maxCredential)
	}
	return os.ReadFile(path)
}

// InClear tells whether passwords and checks would cross a network unguarded:
// the URL names a host other than this one, and no TLS.
func InClear(rawURL string, sec Security) bool {
	return !strings.HasPrefix(rawURL, "rediss") && !sec.wantsTLS() && !OnThisHost(rawURL)
}

// OnThisHost tells whether a URL names this host alone, or a socket.
func OnThisHost(rawURL string) bool {
	for _, addr := range hostsOf(rawURL) {
		host, _, _ := net.SplitHostPort(addr)
		if ip, err := netip.ParseAddr(host); host != "" && host != "localhost" && (err != nil || !ip.Unmap().IsLoopback()) {
			return false
		}
	}
	return true
}
