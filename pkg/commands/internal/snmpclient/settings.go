package snmpclient

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gosnmp/gosnmp"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
)

// Settings say how to reach a device. Commands embed them in their Params, so
// that their fields are the same everywhere.
type Settings struct {
	// Host is a name or an address.
	Host string `json:"host"`
	Port int    `json:"port,omitempty"`
	// Transport is udp or tcp.
	Transport string  `json:"transport,omitempty"`
	Version   Version `json:"version,omitempty"`
	// Community is for versions 1 and 2c.
	Community Community `json:"community,omitzero"`
	// User and what follows is for version 3. The security level follows from
	// the protocols that are given.
	User         string       `json:"user,omitempty"`
	AuthProtocol string       `json:"auth_protocol,omitempty"`
	AuthPassword tools.Secret `json:"auth_password,omitzero"`
	PrivProtocol string       `json:"priv_protocol,omitempty"`
	PrivPassword tools.Secret `json:"priv_password,omitzero"`
	// Context is the name of a version 3 context, ContextEngine the engine it
	// lives in, in hex, where that is not the device's own.
	Context       string `json:"context,omitempty"`
	ContextEngine string `json:"context_engine,omitempty"`
	// Timeout is for one try, Retries counts the tries after the first.
	Timeout check.Duration `json:"timeout,omitempty"`
	Retries int            `json:"retries"`
	// MaxOIDs is how many objects are asked for in one GET, MaxRepetitions how
	// many rows in one GETBULK.
	MaxOIDs        int `json:"max_oids,omitempty"`
	MaxRepetitions int `json:"max_repetitions,omitempty"`
}

// Bounds of the settings.
const (
	maxChunk       = 60  // gosnmp refuses more objects in a request
	maxRepetitions = 100 // rows of 600 bytes still fit a datagram
	maxCommunity   = 127 // gosnmp writes its length in one byte
	maxTries       = 10
	minPassword    = 8  // RFC 3414, 11.2
	maxUser        = 32 // RFC 3414, SnmpAdminString (SIZE(0..32))
)

// DefaultSettings are the settings of a device that is given by its host
// alone: version 2c over UDP port 161, community public.
func DefaultSettings() Settings {
	return Settings{
		Port: 161, Transport: "udp", Version: V2c,
		Timeout: check.Duration(3 * time.Second), Retries: 3,
		MaxOIDs: 30, MaxRepetitions: 25,
	}
}

var authProtocols = map[string]gosnmp.SnmpV3AuthProtocol{
	"md5": gosnmp.MD5, "sha": gosnmp.SHA, "sha224": gosnmp.SHA224,
	"sha256": gosnmp.SHA256, "sha384": gosnmp.SHA384, "sha512": gosnmp.SHA512,
}

// The names that end in c extend short keys as Cisco and others do (Reeder),
// those without it as the expired draft of Blumenthal says.
var privProtocols = map[string]gosnmp.SnmpV3PrivProtocol{
	"des": gosnmp.DES, "aes": gosnmp.AES, "aes192": gosnmp.AES192, "aes256": gosnmp.AES256,
	"aes192c": gosnmp.AES192C, "aes256c": gosnmp.AES256C,
}

// Target is the device that is asked.
func (s *Settings) Target() string { return s.Host }

// Validate refuses settings that no device could be reached with. All faults
// are reported at once.
func (s *Settings) Validate() error {
	var faults []error
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	refuse(s.Host == "", "host: missing")
	refuse(len(s.Host) > 253 || strings.ContainsAny(s.Host, " \t\r\n\x00/"), "host: not a host name or an address")
	refuse(s.Port < 1 || s.Port > 65535, "port: %d, want 1 to 65535", s.Port)
	refuse(s.Transport != "udp" && s.Transport != "tcp", "transport: %.32q, want udp or tcp", s.Transport)
	refuse(s.Timeout.D() < 10*time.Millisecond || s.Timeout.D() > time.Minute, "timeout: %s, want 10ms to 1m", s.Timeout)
	refuse(s.Retries < 0 || s.Retries > maxTries, "retries: %d, want 0 to %d", s.Retries, maxTries)
	refuse(s.MaxOIDs < 1 || s.MaxOIDs > maxChunk, "max_oids: %d, want 1 to %d", s.MaxOIDs, maxChunk)
	refuse(s.MaxRepetitions < 1 || s.MaxRepetitions > maxRepetitions, "max_repetitions: %d, want 1 to %d", s.MaxRepetitions, maxRepetitions)
	switch s.Version {
	case V1, V2c:
		refuse(s.User != "" || s.AuthProtocol != "" || s.PrivProtocol != "" || !s.AuthPassword.IsZero() || !s.PrivPassword.IsZero() ||
			s.Context != "" || s.ContextEngine != "", "version: %s takes a community; user, auth_*, priv_* and context* need version 3", s.Version)
	case V3:
		faults = append(faults, s.validateV3()...)
	default:
		refuse(true, "version: %.32q, want 1, 2c or 3", s.Version)
	}
	return errors.Join(faults...)
}

func (s *Settings) validateV3() (faults []error) {
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	_, auth := authProtocols[s.AuthProtocol]
	_, priv := privProtocols[s.PrivProtocol]
	engine, err := hex.DecodeString(s.ContextEngine)
	refuse(!s.Community.Secret.IsZero(), "community: version 3 takes a user instead")
	refuse(s.User == "" || len(s.User) > maxUser, "user: want 1 to %d characters with version 3", maxUser)
	refuse(s.AuthProtocol != "" && !auth, "auth_protocol: %.32q, want md5, sha, sha224, sha256, sha384 or sha512", s.AuthProtocol)
	refuse(s.PrivProtocol != "" && !priv, "priv_protocol: %.32q, want des, aes, aes192, aes256, aes192c or aes256c", s.PrivProtocol)
	refuse(s.PrivProtocol != "" && s.AuthProtocol == "", "priv_protocol: privacy needs auth_protocol too")
	refuse((s.AuthProtocol == "") != s.AuthPassword.IsZero(), "auth_password: goes together with auth_protocol")
	refuse((s.PrivProtocol == "") != s.PrivPassword.IsZero(), "priv_password: goes together with priv_protocol")
	refuse(len(s.Context) > maxUser, "context: longer than %d characters", maxUser)
	refuse(err != nil || len(engine) > 32, "context_engine: want up to 32 bytes in hex")
	return faults
}
