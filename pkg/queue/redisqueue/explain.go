package redisqueue

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"strings"
)

// Explain says what to do about an error of a connection; empty when the error
// says all that is known.
func Explain(err error) string {
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var header tls.RecordHeaderError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &authority):
		return "nobody that is trusted has signed the certificate of Redis: redis-ca names the file of those who sign it"
	case errors.As(err, &name):
		return "connect to a name that stands in the certificate of Redis, or give that name with redis-server-name"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "renew the certificate of Redis, and look at the clock of this host"
	case errors.As(err, &header), errors.Is(err, errSilent):
		return "Redis does not speak TLS there: use its tls-port, or redis:// for one without TLS"
	}
	return explainAnswer(err)
}

// explainAnswer is Explain for what the server says.
func explainAnswer(err error) string {
	text := err.Error()
	switch {
	case strings.Contains(text, "remote error: tls: certificate required"), strings.Contains(text, "remote error: tls: handshake failure"):
		return "Redis asks for a certificate of ours: redis-cert and redis-key name its files"
	case strings.Contains(text, "remote error: tls: expired certificate"):
		return "our certificate for Redis has expired: renew the file of redis-cert"
	case strings.Contains(text, "remote error: tls:"):
		return "Redis does not accept our certificate: its tls-ca-cert-file must hold who signed the file of redis-cert"
	case strings.Contains(text, "sentinel") && (strings.Contains(text, "NOAUTH") || strings.Contains(text, "WRONGPASS") || strings.Contains(text, "invalid password")):
		return "the Sentinels want a password of their own: redis-sentinel-password-file, with redis-sentinel-user for a user of their ACL"
	case strings.Contains(text, "NOAUTH"):
		return "Redis wants a password: redis-password-file, with redis-user for a user of an ACL"
	case strings.Contains(text, "WRONGPASS"), strings.Contains(text, "invalid password"):
		return "user and password do not go together: see redis-user and redis-password-file"
	case strings.Contains(text, "NOPERM"), strings.Contains(text, "The user executing the script can't"):
		return "the user's ACL lacks this right: deploy/redis/users.acl has what each role needs"
	case errors.Is(err, io.EOF), strings.Contains(text, "connection reset by peer"):
		return "somebody answers and hangs up: where Redis speaks TLS use rediss://"
	}
	return ""
}
