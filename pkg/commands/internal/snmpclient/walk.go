package snmpclient

import (
	"context"
	"errors"
	"time"

	"github.com/gosnmp/gosnmp"
)

// Caps of a walk.
const (
	MaxRows      = 10_000
	maxWalkBytes = 4 << 20
)

// Walk visits the objects below root in their order until visit returns an
// error. It uses GETBULK, or GETNEXT where the device does not answer that.
// OIDs that do not rise, more than MaxRows rows and more than 4 MiB are errors.
func (c *Client) Walk(ctx context.Context, root string, visit func(Value) error) error {
	w := walk{client: c, root: root, last: root, rows: uint32(c.set.MaxRepetitions), visit: visit}
	w.bulk, w.sure = c.known.try()
	w.bulk = w.bulk && c.set.Version != V1
	for {
		p, err := w.step(ctx)
		if err != nil {
			return err
		}
		if done, err := w.take(p); done || err != nil {
			return err
		}
	}
}

// walk is a walk under way.
type walk struct {
	client     *Client
	root, last string
	rows       uint32 // of a GETBULK
	bulk       bool   // GETBULK is used
	sure       bool   // it worked on this device before
	count      int
	bytes      int
	visit      func(Value) error
}

// step asks for what comes after w.last.
func (w *walk) step(ctx context.Context) (*gosnmp.SnmpPacket, error) {
	for w.bulk {
		p, err := w.client.ask(ctx, w.getBulk())
		switch {
		case err == nil && p.Error == gosnmp.NoError:
			if !w.sure {
				w.client.known.learn(true)
				w.sure = true
			}
			return p, nil
		case err == nil && w.rows > 1: // it has no room for so many rows
			w.rows /= 4
			w.rows = max(w.rows, 1)
			continue
		case err != nil && (w.sure || ctx.Err() != nil || !errors.Is(err, ErrNoAnswer) && !errors.Is(err, ErrDevice)):
			return nil, err
		}
		w.bulk = false
		p, err = w.client.ask(ctx, w.getNext())
		if err == nil {
			w.client.known.learn(false)
		}
		return p, err
	}
	return w.client.ask(ctx, w.getNext())
}

func (w *walk) getBulk() request {
	r := request{pdu: gosnmp.GetBulkRequest, oids: []string{w.last}, rows: w.rows, retries: -1}
	if !w.sure {
		r.retries = min(1, w.client.set.Retries) // leaves time for GETNEXT
	}
	return r
}

func (w *walk) getNext() request {
	return request{pdu: gosnmp.GetNextRequest, oids: []string{w.last}, retries: -1}
}

// take visits the objects of an answer and says whether they were the last.
func (w *walk) take(p *gosnmp.SnmpPacket) (done bool, err error) {
	switch {
	case p.Error == gosnmp.NoSuchName: // version 1 has no other end
		return true, nil
	case p.Error != gosnmp.NoError:
		return false, device(w.client.Target(), "it answers a walk with the error "+p.Error.String())
	case len(p.Variables) == 0:
		return false, w.client.distrust("it answers a walk with nothing")
	}
	at := time.Now()
	for _, pdu := range p.Variables {
		if pdu.Type == gosnmp.EndOfMibView || pdu.Type == gosnmp.NoSuchObject || pdu.Type == gosnmp.NoSuchInstance {
			return true, nil
		}
		v := convert(pdu, at)
		w.count++
		w.bytes += len(v.OID) + len(v.Text)
		switch {
		case !after(v.OID, w.last):
			return false, w.client.distrust("its OIDs do not rise")
		case !under(w.root, v.OID):
			return true, nil
		case w.count > MaxRows || w.bytes > maxWalkBytes:
			return false, w.client.distrust("its table is larger than a walk may be")
		}
		w.last = v.OID
		if err := w.visit(v); err != nil {
			return false, err
		}
	}
	return false, nil
}
