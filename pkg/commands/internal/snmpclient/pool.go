package snmpclient

import (
	"container/list"
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"

	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
)

// Bounds of a Pool. A session holds a descriptor, and with version 3 gosnmp's
// buffer of 64 KiB: the idle ones cost at most 512 of these and 32 MiB.
const (
	maxIdle      = 512
	maxIdleEach  = 4 // of one device and user
	maxDevices   = 8192
	idleFor      = 2 * time.Minute
	sessionForUp = 10 * time.Minute // a name may resolve to another address by then
)

// Pool lends sessions to runs. A session belongs to one device, seen with one
// set of credentials, and to one run at a time. It is safe for concurrent use.
type Pool struct {
	tools tools.Tools

	mu      sync.Mutex // guards everything below
	idle    map[key][]*session
	order   *list.List // of *session: the idle ones, the longest idle first
	places  map[*session]*list.Element
	devices map[key]*list.Element // of *known, in recent
	recent  *list.List            // of *known: the longest unused first
	sweeper *time.Timer
	closed  bool
}

// NewPool makes an empty pool. It opens nothing before a run asks for it.
func NewPool(t tools.Tools) *Pool {
	return &Pool{
		tools: t,
		idle:  map[key][]*session{}, order: list.New(), places: map[*session]*list.Element{},
		devices: map[key]*list.Element{}, recent: list.New(),
	}
}

// Close closes the idle sessions. Those that are lent are closed when they
// come back. Nobody needs to call it: idle sessions end by themselves.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.drop(func(*session) bool { return true })
}

// Idle counts the sessions that wait for a run.
func (p *Pool) Idle() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.order.Len()
}

// key stands for a device as seen with one set of credentials. It is a hash,
// so that secrets stay out of maps.
type key [sha256.Size]byte

// fingerprint makes the key. Each part goes in with its length.
func (s *Settings) fingerprint(c credentials) key {
	buf := make([]byte, 0, 256)
	for _, part := range [...]string{
		s.Host, s.Transport, string(s.Version), c.community, s.User, s.AuthProtocol, c.auth,
		s.PrivProtocol, c.priv, s.Context, s.ContextEngine,
	} {
		buf = binary.AppendUvarint(buf, uint64(len(part)))
		buf = append(buf, part...)
	}
	return sha256.Sum256(binary.AppendUvarint(buf, uint64(s.Port)))
}

// take lends an idle session, the one used last, or gives nil.
func (p *Pool) take(k key) *session {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		list := p.idle[k]
		if len(list) == 0 {
			return nil
		}
		s := list[len(list)-1]
		p.forget(s)
		if now := time.Now(); now.Sub(s.used) < idleFor && now.Sub(s.born) < sessionForUp {
			return s
		}
		s.close()
	}
}

// put takes a session back that works.
func (p *Pool) put(s *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.used = time.Now()
	if p.closed || len(p.idle[s.key]) >= maxIdleEach {
		s.close()
		return
	}
	if p.order.Len() >= maxIdle {
		oldest := p.order.Front().Value.(*session)
		p.forget(oldest)
		oldest.close()
	}
	p.idle[s.key] = append(p.idle[s.key], s)
	p.places[s] = p.order.PushBack(s)
	if p.sweeper == nil {
		p.sweeper = time.AfterFunc(idleFor, p.sweep)
	}
}

// sweep closes what was idle for too long, and comes back while there is more.
func (p *Pool) sweep() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.drop(func(s *session) bool { return now.Sub(s.used) >= idleFor })
	p.sweeper = nil
	if first := p.order.Front(); first != nil {
		p.sweeper = time.AfterFunc(idleFor-now.Sub(first.Value.(*session).used), p.sweep)
	}
}

// drop closes idle sessions from the oldest on while they are old.
func (p *Pool) drop(old func(*session) bool) {
	for first := p.order.Front(); first != nil; first = p.order.Front() {
		s := first.Value.(*session)
		if !old(s) {
			return
		}
		p.forget(s)
		s.close()
	}
}

// forget takes an idle session off the books.
func (p *Pool) forget(s *session) {
	p.order.Remove(p.places[s])
	delete(p.places, s)
	list := p.idle[s.key]
	for i := range list {
		if list[i] == s {
			list = append(list[:i], list[i+1:]...)
			break
		}
	}
	if len(list) == 0 {
		delete(p.idle, s.key)
		return
	}
	p.idle[s.key] = list
}

// device gives what is known of a device, and keeps the books of the most
// recent ones.
func (p *Pool) device(k key) *known {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e := p.devices[k]; e != nil {
		p.recent.MoveToBack(e)
		return e.Value.(*known)
	}
	if p.recent.Len() >= maxDevices {
		first := p.recent.Front()
		delete(p.devices, first.Value.(*known).key)
		p.recent.Remove(first)
	}
	d := &known{key: k, lookup: make(chan struct{}, 1)}
	p.devices[k] = p.recent.PushBack(d)
	return d
}
