package snmpclient

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/gosnmp/gosnmp"

	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
)

// session is a socket to a device with the protocol's state. One run at a time
// has it.
type session struct {
	key  key
	snmp *gosnmp.GoSNMP
	conn *conn
	// stream says that conn is TCP, requests is the id of the last request;
	// both are for versions 1 and 2c.
	stream   bool
	requests int
	born     time.Time
	// used is when the session was last given back.
	used time.Time
	// known says that the session, or the engine's state that it began with,
	// worked before: when it fails, a new one may do better.
	known bool
	// dead says that the run's end came so late that it cut the connection.
	dead bool
}

// credentials are the secret parts of the settings, resolved for one run.
type credentials struct {
	community, auth, priv string
}

// resolve asks for the secrets that s names, as those of s.Host.
func (s *Settings) resolve(t tools.Tools) (c credentials, err error) {
	get := func(into *string, secret tools.Secret) {
		if err == nil && !secret.IsZero() {
			*into, err = t.Secret(secret, s.Host)
		}
	}
	if s.Version != V3 {
		c.community = publicCommunity
		get(&c.community, s.Community.Secret)
		if err == nil && len(c.community) > maxCommunity {
			err = fmt.Errorf("%s: a community has at most %d bytes", s.Community.Secret, maxCommunity)
		}
		return c, err
	}
	get(&c.auth, s.AuthPassword)
	get(&c.priv, s.PrivPassword)
	switch {
	case err != nil:
	case c.auth != "" && len(c.auth) < minPassword:
		err = fmt.Errorf("%s: SNMP wants at least %d characters", s.AuthPassword, minPassword)
	case c.priv != "" && len(c.priv) < minPassword:
		err = fmt.Errorf("%s: SNMP wants at least %d characters", s.PrivPassword, minPassword)
	}
	return c, err
}

// dial opens a session. The engine's state, if there is any, saves version 3
// its discovery.
func dial(ctx context.Context, t tools.Tools, s *Settings, c credentials, e engine) (*session, error) {
	dialer := t.Dialer()
	dialer.Timeout = s.Timeout.D()
	g := &gosnmp.GoSNMP{
		Target: s.Host, Port: uint16(s.Port), Transport: s.Transport, Version: gosnmp.Version2c, Community: c.community,
		Context: ctx, Timeout: s.Timeout.D(), Retries: s.Retries, MaxOids: maxChunk,
		Control: func(network, address string, raw syscall.RawConn) error {
			return dialer.ControlContext(ctx, network, address, raw)
		},
	}
	now := time.Now()
	session := &session{snmp: g, conn: &conn{}, stream: s.Transport == "tcp", requests: firstRequest(), born: now, used: now, known: e.id != ""}
	var err error
	switch s.Version {
	case V3:
		g.Version = gosnmp.Version3
		s.secure(g, c, e)
		err = g.Connect()
		session.conn.Conn, g.Conn = g.Conn, session.conn
	case V1:
		g.Version = gosnmp.Version1
		fallthrough
	default:
		session.conn.Conn, err = dialer.DialContext(ctx, s.Transport, net.JoinHostPort(s.Host, strconv.Itoa(s.Port)))
	}
	if err != nil {
		return nil, err
	}
	return session, nil
}

// secure sets up the user of version 3.
func (s *Settings) secure(g *gosnmp.GoSNMP, c credentials, e engine) {
	usm := &gosnmp.UsmSecurityParameters{
		UserName:               s.User,
		AuthenticationProtocol: gosnmp.NoAuth, PrivacyProtocol: gosnmp.NoPriv,
		AuthenticationPassphrase: c.auth, PrivacyPassphrase: c.priv,
		AuthoritativeEngineID: e.id, AuthoritativeEngineBoots: e.boots, AuthoritativeEngineTime: e.now(),
		SecretKey: e.authKey, PrivacyKey: e.privKey,
	}
	g.SecurityModel, g.MsgFlags, g.SecurityParameters = gosnmp.UserSecurityModel, gosnmp.NoAuthNoPriv, usm
	if s.AuthProtocol != "" {
		g.MsgFlags, usm.AuthenticationProtocol = gosnmp.AuthNoPriv, authProtocols[s.AuthProtocol]
	}
	if s.PrivProtocol != "" {
		g.MsgFlags, usm.PrivacyProtocol = gosnmp.AuthPriv, privProtocols[s.PrivProtocol]
	}
	g.ContextName, g.ContextEngineID = s.Context, e.id
	if raw, err := hex.DecodeString(s.ContextEngine); err == nil && len(raw) > 0 {
		g.ContextEngineID = string(raw)
	}
}

// engine is what version 3 knows of a device: who it is, its clock, and the
// user's keys made for it, which cost a megabyte of hashing.
type engine struct {
	id               string
	boots, time      uint32
	at               time.Time
	authKey, privKey []byte
}

// now is the engine's time, in seconds, by our clock.
func (e *engine) now() uint32 {
	if e.at.IsZero() {
		return e.time
	}
	return e.time + uint32(max(0, time.Since(e.at))/time.Second)
}

// engine reads the session's state after a request; the zero value where there
// is none.
func (s *session) engine() engine {
	usm, ok := s.snmp.SecurityParameters.(*gosnmp.UsmSecurityParameters)
	if !ok {
		return engine{}
	}
	return engine{id: usm.AuthoritativeEngineID, boots: usm.AuthoritativeEngineBoots, time: usm.AuthoritativeEngineTime,
		at: time.Now(), authKey: usm.SecretKey, privKey: usm.PrivacyKey}
}

// lend gets an idle session ready for a run.
func (s *session) lend(set *Settings) {
	s.snmp.Timeout, s.snmp.Retries = set.Timeout.D(), set.Retries
	if usm, ok := s.snmp.SecurityParameters.(*gosnmp.UsmSecurityParameters); ok {
		usm.AuthoritativeEngineTime += uint32(max(0, time.Since(s.used)) / time.Second)
	}
	s.known = true
}

// do sends one request under ctx. A cancelled ctx ends it at once, and with it
// the session. A panic of gosnmp is an error.
func (s *session) do(ctx context.Context, r request) (p *gosnmp.SnmpPacket, err error) {
	defer func() {
		if recover() != nil {
			p, err = nil, errUnreadable
		}
	}()
	stop := context.AfterFunc(ctx, s.conn.cut)
	defer func() { s.dead = !stop() }()
	s.snmp.Context = ctx
	if s.snmp.Version != gosnmp.Version3 {
		return s.exchange(ctx, r)
	}
	return r.by(s.snmp)
}

func (s *session) close() { s.conn.Close() }

var (
	errUnreadable = errors.New("packet cannot be read")
	errHungUp     = errors.New("connection closed by the device")
	errCut        = errors.New("run was cancelled")
)

// conn is a connection that another goroutine can end for good: gosnmp sets
// a new deadline before each try, which would undo one that was set to stop it.
type conn struct {
	net.Conn
	mu  sync.Mutex // guards end and the order of deadlines
	end bool
}

// cut ends what is being read now and refuses what comes later.
func (c *conn) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.end = true
	c.Conn.SetDeadline(time.Unix(1, 0))
}

// SetDeadline is net.Conn's, until cut.
func (c *conn) SetDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.end {
		return errCut
	}
	return c.Conn.SetDeadline(t)
}

// Read is net.Conn's but for the end of a TCP stream: on io.EOF gosnmp would
// dial again by itself, around cut.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if errors.Is(err, io.EOF) {
		err = errHungUp
	}
	return n, err
}
