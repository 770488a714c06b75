package snmpclient

import (
	"context"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/gosnmp/gosnmp"
)

// Client asks one device on behalf of one run. It is for one goroutine.
type Client struct {
	pool  *Pool
	set   *Settings
	creds credentials
	known *known
	// session is nil before the first request and after one that failed.
	session *session
	key     key
	// stale says that the session that failed had worked before.
	stale bool
}

// Client makes a client for the device that s names. Its sessions are its own
// until Close.
func (p *Pool) Client(s *Settings) (*Client, error) {
	creds, err := s.resolve(p.tools)
	if err != nil {
		return nil, err
	}
	k := s.fingerprint(creds)
	return &Client{pool: p, set: s, creds: creds, key: k, known: p.device(k)}, nil
}

// Close gives the session back to the pool.
func (c *Client) Close() {
	if c.session == nil {
		return
	}
	s := c.session
	c.session = nil
	if s.dead {
		s.close()
		return
	}
	if c.set.Version == V3 {
		c.known.setEngine(s.engine())
	}
	s.snmp.Context = nil
	c.pool.put(s)
}

// Target is how texts call the device.
func (c *Client) Target() string { return c.set.peer() }

// peer is how texts call the device: its host and, where it is not the usual
// one, its port.
func (s *Settings) peer() string {
	if s.Port == 161 {
		return s.Host
	}
	return net.JoinHostPort(s.Host, strconv.Itoa(s.Port))
}

// open makes sure that there is a session.
func (c *Client) open(ctx context.Context) error {
	if c.session != nil {
		return nil
	}
	if s := c.pool.take(c.key); s != nil {
		s.lend(c.set)
		c.session = s
		return nil
	}
	s, err := dial(ctx, c.pool.tools, c.set, c.creds, c.known.getEngine())
	if err != nil {
		return err
	}
	s.key = c.key
	c.session = s
	return nil
}

// ask makes an exchange and checks that the answer is one. A session that was
// fine and now gets nonsense (the device restarted with another engine or the
// TCP connection is gone) is replaced, once.
func (c *Client) ask(ctx context.Context, r request) (*gosnmp.SnmpPacket, error) {
	for {
		p, err := c.once(ctx, r)
		if err == nil {
			return p, nil
		}
		if !c.stale || timedOut(err) || ctx.Err() != nil {
			return nil, explain(ctx, c.Target(), c.set.Version, err)
		}
		c.known.setEngine(engine{})
	}
}

// once makes an exchange over the present session and drops the session if it
// fails.
func (c *Client) once(ctx context.Context, r request) (*gosnmp.SnmpPacket, error) {
	c.stale = false
	if err := c.open(ctx); err != nil {
		return nil, err
	}
	c.session.snmp.Retries = c.set.Retries
	if r.retries >= 0 {
		c.session.snmp.Retries = r.retries
	}
	p, err := c.session.do(ctx, r)
	if err == nil {
		err = c.genuine(p)
	}
	if err != nil {
		c.stale = c.session.known && (c.session.stream || c.set.Version == V3)
		c.session.close()
		c.session = nil
		return nil, err
	}
	return p, nil
}

// genuine refuses what gosnmp lets pass: reports that stood where an answer
// should, other versions, and an answer without an id.
func (c *Client) genuine(p *gosnmp.SnmpPacket) error {
	switch {
	case p.Version != c.session.snmp.Version || p.Version == gosnmp.Version3 && p.RequestID == 0:
		return errUnreadable
	case p.PDUType == gosnmp.Report:
		return gosnmp.ErrNotInTimeWindow
	case p.PDUType != gosnmp.GetResponse:
		return errUnreadable
	}
	return nil
}

// Get asks for objects. The values come in the order of oids, which have no
// dot in front; what the device does not have is Missing.
func (c *Client) Get(ctx context.Context, oids []string) ([]Value, error) {
	values := make([]Value, len(oids))
	for start := 0; start < len(oids); {
		size := min(c.known.room(c.set.MaxOIDs), len(oids)-start)
		done, err := c.chunk(ctx, oids[start:start+size], values[start:start+size])
		if err != nil {
			return nil, err
		}
		if done {
			start += size
		}
	}
	return values, nil
}

// chunk asks for a few objects in one request; done is false when their
// answer was too large and fewer should be asked for.
func (c *Client) chunk(ctx context.Context, oids []string, values []Value) (done bool, err error) {
	left := make([]int, len(oids)) // what is still asked for, as indexes
	for i := range oids {
		left[i] = i
	}
	for len(left) > 0 {
		names := oids
		if len(left) < len(oids) {
			names = make([]string, len(left))
			for i, at := range left {
				names[i] = oids[at]
			}
		}
		p, err := c.ask(ctx, request{pdu: gosnmp.GetRequest, oids: names, retries: -1})
		if err != nil {
			return false, err
		}
		at := time.Now()
		switch bad := int(p.ErrorIndex) - 1; {
		case p.Error == gosnmp.NoError:
			return true, c.fill(p, left, oids, values, at)
		case p.Error == gosnmp.TooBig && len(left) > 1:
			c.known.setRoom(max(1, len(left)/2))
			return false, nil
		case p.Error == gosnmp.TooBig || bad < 0 || bad >= len(left):
			return false, device(c.Target(), "it answers with the error "+p.Error.String())
		default: // version 1 refuses all for the one that it does not have
			values[left[bad]] = Value{OID: oids[left[bad]], At: at}
			left = slices.Delete(left, bad, bad+1)
		}
	}
	return true, nil
}

// fill takes the values of an answer, whose names must be those asked for.
func (c *Client) fill(p *gosnmp.SnmpPacket, left []int, oids []string, values []Value, at time.Time) error {
	if len(p.Variables) != len(left) {
		return c.distrust("it answers with another number of objects than asked for")
	}
	for i, pdu := range p.Variables {
		v := convert(pdu, at)
		if v.OID != oids[left[i]] {
			return c.distrust("it answers with other objects than asked for")
		}
		v.OID = oids[left[i]]
		values[left[i]] = v
	}
	return nil
}

// distrust drops the session of a device that makes no sense.
func (c *Client) distrust(why string) error {
	c.session.close()
	c.session = nil
	return device(c.Target(), why)
}
