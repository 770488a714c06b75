package conn

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"time"
)

// curves leaves the post-quantum hybrids out: each handshake of a check would
// make such a key pair, which is a fifth of its CPU (659 against 498 us).
var curves = []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521}

// TLS are the settings of a connection with TLS.
type TLS struct {
	ServerName string // what the certificate is for, and SNI
	Verify     bool
	CA         string // PEM; empty means the system's roots
	Protocols  []string
}

// Config makes a configuration that may be shared by connections.
func (s TLS) Config() (*tls.Config, error) {
	c := &tls.Config{
		ServerName:         trimBrackets(s.ServerName),
		InsecureSkipVerify: !s.Verify, // #nosec G402: the check asks for it
		CurvePreferences:   curves,
		NextProtos:         s.Protocols,
	}
	if s.CA != "" {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM([]byte(s.CA)) {
			return nil, Fault("ca", "want certificates in PEM")
		}
	}
	return c, nil
}

// CertDays tells how many days the certificate of a connection is still valid
// at now: of the verified chain, the certificate that ends first; of the best
// chain when there are several; of the server's own one when none was verified.
func CertDays(s *tls.ConnectionState, now time.Time) (days float64, ok bool) {
	if s == nil || len(s.PeerCertificates) == 0 {
		return 0, false
	}
	var best time.Time
	for _, chain := range s.VerifiedChains {
		if end := earliest(chain); end.After(best) {
			best = end
		}
	}
	if best.IsZero() {
		best = s.PeerCertificates[0].NotAfter
	}
	return best.Sub(now).Hours() / 24, true
}

func earliest(chain []*x509.Certificate) time.Time {
	end := chain[0].NotAfter
	for _, c := range chain[1:] {
		if c.NotAfter.Before(end) {
			end = c.NotAfter
		}
	}
	return end
}

// FailedCertDays is CertDays for a handshake that failed because its
// certificate was refused.
func FailedCertDays(err error, now time.Time) (days float64, ok bool) {
	var refused *tls.CertificateVerificationError
	if !errors.As(err, &refused) || len(refused.UnverifiedCertificates) == 0 {
		return 0, false
	}
	return refused.UnverifiedCertificates[0].NotAfter.Sub(now).Hours() / 24, true
}
