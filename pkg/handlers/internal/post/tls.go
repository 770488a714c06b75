package post

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
)

// TLS are the settings of connections to https servers. Certificates are
// verified always.
type TLS struct {
	// CA is a file of certificates in PEM that are trusted instead of the
	// system's.
	CA string `json:"ca_file"`
	// Cert and Key are files of the client's certificate and its key, in PEM.
	// They are read anew for each connection.
	Cert string `json:"cert_file"`
	Key  string `json:"key_file"`
	// ServerName is the name in SNI and in the certificate; empty: the URL's.
	ServerName string `json:"server_name"`
}

// config reads the files.
func (s TLS) config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: s.ServerName}
	if strings.ContainsAny(s.ServerName, "/:@ \t\r\n") {
		return nil, fault("tls.server_name", "%.64q is no host name", s.ServerName)
	}
	if s.CA != "" {
		pem, err := os.ReadFile(s.CA)
		if err != nil {
			return nil, fault("tls.ca_file", "%v", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fault("tls.ca_file", "%s holds no certificates in PEM", s.CA)
		}
	}
	if s.Cert == "" && s.Key == "" {
		return c, nil
	}
	if s.Cert == "" || s.Key == "" {
		return nil, fault("tls.cert_file", "needs key_file, and key_file needs cert_file")
	}
	if _, err := s.pair(); err != nil {
		return nil, fault("tls.cert_file", "%v", err)
	}
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return s.pair() }
	return c, nil
}

// pair reads the client's certificate, which others may have renewed.
func (s TLS) pair() (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(s.Cert, s.Key)
	var path *os.PathError
	if err != nil && !errors.As(err, &path) {
		err = fmt.Errorf("%s and %s: %w", s.Cert, s.Key, err)
	}
	return &pair, err
}
