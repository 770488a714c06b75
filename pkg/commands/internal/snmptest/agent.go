// Package snmptest has devices for tests of SNMP: an Agent that answers as a
// test scripts it, down to the bytes, and Start for a real snmpd.
package snmptest

import (
	"net"
	"slices"
	"sync"
	"testing"
)

// Request is a request of version 1 or 2c as an Agent got it; of version 3
// only Version and Raw are there.
type Request struct {
	Version            int // as in the packet: 0, 1, 3
	Community          string
	PDU                byte
	ID                 int
	NonRepeaters, Rows int // of a GETBULK
	OIDs               []string
	Raw                []byte
}

// The PDUs of requests.
const (
	Get     = tagGet
	GetNext = tagGetNext
	GetBulk = tagGetBulk
)

// Agent is a device on a UDP port of the loopback interface, and on the TCP
// port of the same number. Objects that no answer changes are read as they
// were set.
type Agent struct {
	Port int

	mu       sync.Mutex // guards everything below
	objects  map[string]Value
	order    [][]uint64 // of objects, sorted; nil when it must be made
	script   func(Request) [][]byte
	requests []Request
	sources  map[string]bool
	streams  map[net.Conn]bool
}

// NewAgent starts an Agent. It stops with the test.
func NewAgent(t testing.TB) *Agent {
	t.Helper()
	a := &Agent{objects: map[string]Value{}, sources: map[string]bool{}, streams: map[net.Conn]bool{}}
	var packets net.PacketConn
	var streams net.Listener
	for range 20 { // the same number may be taken for TCP
		var err error
		if packets, err = net.ListenPacket("udp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		if streams, err = net.Listen("tcp", packets.LocalAddr().String()); err == nil {
			break
		}
		packets.Close()
	}
	if streams == nil {
		t.Fatal("no port is free for UDP and TCP")
	}
	a.Port = packets.LocalAddr().(*net.UDPAddr).Port
	var group sync.WaitGroup
	group.Go(func() { a.servePackets(packets) })
	group.Go(func() { a.serveStreams(streams, &group) })
	t.Cleanup(func() {
		packets.Close()
		streams.Close()
		a.HangUp()
		group.Wait()
	})
	return a
}

// Set gives an object its value.
func (a *Agent) Set(oid string, v Value) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.objects[oid] = v
	a.order = nil
}

// Unset takes an object away.
func (a *Agent) Unset(oid string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.objects, oid)
	a.order = nil
}

// Script makes the agent answer with the packets that script gives; nil goes
// back to the objects.
func (a *Agent) Script(script func(Request) [][]byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.script = script
}

// Requests gives what was asked since the last call.
func (a *Agent) Requests() []Request {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.requests
	a.requests = nil
	return r
}

// Sources counts the sockets that requests came from.
func (a *Agent) Sources() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.sources)
}

// HangUp closes the TCP connections.
func (a *Agent) HangUp() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for c := range a.streams {
		c.Close()
	}
}

func (a *Agent) servePackets(c net.PacketConn) {
	buf := make([]byte, 64<<10)
	for {
		n, from, err := c.ReadFrom(buf)
		if err != nil {
			return
		}
		for _, answer := range a.serve(slices.Clone(buf[:n]), "udp "+from.String()) {
			c.WriteTo(answer, from)
		}
	}
}

func (a *Agent) serveStreams(l net.Listener, group *sync.WaitGroup) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		a.mu.Lock()
		a.streams[c] = true
		a.mu.Unlock()
		group.Go(func() {
			defer c.Close()
			buf := make([]byte, 64<<10)
			for {
				n, err := c.Read(buf) // loopback keeps a small request in one piece
				if err != nil {
					return
				}
				for _, answer := range a.serve(slices.Clone(buf[:n]), "tcp "+c.RemoteAddr().String()) {
					c.Write(answer)
				}
			}
		})
	}
}

func (a *Agent) serve(raw []byte, from string) [][]byte {
	r := parse(raw)
	a.mu.Lock()
	a.requests = append(a.requests, r)
	a.sources[from] = true
	script := a.script
	a.mu.Unlock()
	if script != nil {
		return script(r)
	}
	return [][]byte{a.Answer(r)}
}

func parse(raw []byte) Request {
	in := reader(raw)
	_, msg := in.next()
	r := Request{Version: msg.int(), Raw: raw}
	if r.Version == 3 {
		return r
	}
	_, community := msg.next()
	tag, pdu := msg.next()
	r.Community, r.PDU, r.ID = string(community), tag, pdu.int()
	r.NonRepeaters, r.Rows = pdu.int(), pdu.int()
	_, binds := pdu.next()
	for len(binds) > 0 {
		_, bind := binds.next()
		r.OIDs = append(r.OIDs, bind.oid())
	}
	return r
}
