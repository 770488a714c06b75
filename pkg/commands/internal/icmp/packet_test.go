//go:build linux

package icmp

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// Replies of Linux to fping 5.1 (-b 24) on loopback, from raw sockets.
const (
	captured4 = "45000034e5ac0000400197127f0000097f0000010000da0525fa0000000000000000000000000000000000000000000000000000"
	captured6 = "810058a825fb0000000000000000000000000000000000000000000000000000"
)

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// echo makes an echo request or, with reply, a reply.
func echo(v6, reply bool, seq uint16, token uint64, size int) []byte {
	var head [headLen]byte
	putHead(&head, v6, 7, seq, token)
	if reply {
		head[0] = typeReply4
		if v6 {
			head[0] = typeReply6
		}
	}
	putChecksum(&head, tailSum(size))
	return append(head[:], pattern()[:size-tokenLen]...)
}

// ip puts an IP header before b.
func ip(v6 bool, b []byte, dst string) []byte {
	a := netip.MustParseAddr(dst).AsSlice()
	if v6 {
		h := make([]byte, 40)
		h[0], h[6] = 0x60, protocolICMPv6
		binary.BigEndian.PutUint16(h[4:], uint16(len(b)))
		copy(h[24:], a)
		return append(h, b...)
	}
	h := make([]byte, 20)
	h[0], h[9] = 0x45, protocolICMP
	binary.BigEndian.PutUint16(h[2:], uint16(20+len(b)))
	copy(h[16:], a)
	return append(h, b...)
}

// fault makes an ICMP error that quotes a packet.
func fault(typ, code uint8, rest uint32, quoted []byte) []byte {
	b := []byte{typ, code, 0, 0}
	b = binary.BigEndian.AppendUint32(b, rest)
	b = append(b, quoted...)
	binary.BigEndian.PutUint16(b[2:], ^fold(sum(b)))
	return b
}

func TestParse(t *testing.T) {
	t.Parallel()
	raw4, raw6 := form{raw: true, header: true, verify: true}, form{v6: true, raw: true}
	dgram4, dgram6 := form{}, form{v6: true}
	const dst4, dst6 = "192.0.2.9", "2001:db8::9"
	a4, a6 := netip.MustParseAddr(dst4), netip.MustParseAddr(dst6)
	reply4, reply6 := echo(false, true, 3, 99, 64), echo(true, true, 3, 99, 64)
	ask4, ask6 := echo(false, false, 3, 99, 64), echo(true, false, 3, 99, 64)
	good := packet{kind: kindReply, id: 7, seq: 3, token: 99, hasToken: true, size: 64}
	good6 := good
	good6.typ = typeReply6
	flip := func(b []byte, i int) []byte {
		b = slices.Clone(b)
		b[i] ^= 1
		return b
	}
	frag := append([]byte{protocolICMPv6, 0, 0, 1, 0, 0, 0, 1}, ask6...)
	fragmented := ip(true, frag, dst6)
	fragmented[6] = protocolFrag6
	for _, tt := range []struct {
		name string
		form form
		in   []byte
		want packet
	}{
		{"reply", dgram4, reply4, good},
		{"reply v6", dgram6, reply6, good6},
		{"reply with header", raw4, ip(false, reply4, dst4), good},
		{"reply raw v6", raw6, reply6, good6},
		{"reply with a longer buffer than the packet", raw4, append(ip(false, reply4, dst4), 1, 2, 3), good},
		{"request", dgram4, ask4, packet{}},
		{"request v6", dgram6, ask6, packet{}},
		{"reply of the other family", dgram6, reply4, packet{}},
		{"captured", raw4, unhex(t, captured4), packet{kind: kindReply, id: 0x25fa, hasToken: true, size: 24}},
		{"captured v6", raw6, unhex(t, captured6), packet{kind: kindReply, typ: typeReply6, id: 0x25fb, hasToken: true, size: 24}},
		{"empty", dgram4, nil, packet{kind: kindMalformed}},
		{"no token", dgram4, reply4[:15], packet{kind: kindMalformed}},
		{"only a token", dgram4, reply4[:16], packet{kind: kindReply, id: 7, seq: 3, token: 99, hasToken: true, size: 8}},
		{"wrong checksum", raw4, flip(ip(false, reply4, dst4), 60), packet{kind: kindMalformed}},
		{"cut short on the way", raw4, ip(false, reply4, dst4)[:60], packet{kind: kindMalformed}},
		{"header too long", raw4, append([]byte{0x4f}, ip(false, reply4, dst4)[1:40]...), packet{kind: kindMalformed}},
		{"not IPv4", raw4, flip(ip(false, reply4, dst4), 0), packet{kind: kindMalformed}},
		{"not ICMP", raw4, flip(ip(false, reply4, dst4), 9), packet{}},
		{"unreachable", raw4, ip(false, fault(3, 1, 0, ip(false, ask4, dst4)), "10.0.0.1"),
			packet{kind: kindFault, typ: 3, code: 1, id: 7, seq: 3, token: 99, hasToken: true, dst: a4}},
		{"too big", dgram4, fault(3, 4, 1400, ip(false, ask4, dst4)),
			packet{kind: kindFault, typ: 3, code: 4, id: 7, seq: 3, token: 99, hasToken: true, dst: a4, mtu: 1400}},
		{"exceeded, shortest quote", dgram4, fault(11, 0, 0, ip(false, ask4, dst4)[:28]),
			packet{kind: kindFault, typ: 11, id: 7, seq: 3, dst: a4}},
		{"exceeded, quote too short", dgram4, fault(11, 0, 0, ip(false, ask4, dst4)[:27]), packet{kind: kindMalformed}},
		{"exceeded, no quote", dgram4, fault(11, 0, 0, nil), packet{kind: kindMalformed}},
		{"quotes a reply", dgram4, fault(3, 1, 0, ip(false, reply4, dst4)), packet{}},
		{"quotes no ICMP", dgram4, fault(3, 1, 0, flip(ip(false, ask4, dst4), 9)), packet{}},
		{"unreachable v6", raw6, fault(1, 4, 0, ip(true, ask6, dst6)),
			packet{kind: kindFault, typ: 1, code: 4, id: 7, seq: 3, token: 99, hasToken: true, dst: a6}},
		{"too big v6", raw6, fault(2, 0, 1280, fragmented),
			packet{kind: kindFault, typ: 2, id: 7, seq: 3, token: 99, hasToken: true, dst: a6, mtu: 1280}},
		{"exceeded v6, quote too short", raw6, fault(3, 0, 0, ip(true, ask6, dst6)[:39]), packet{kind: kindMalformed}},
		{"neighbour solicitation", raw6, fault(135, 0, 0, nil), packet{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := parse(tt.form, tt.in, len(tt.in)); got != tt.want {
				t.Errorf("parse(%x) = %+v, want %+v", tt.in, got, tt.want)
			}
		})
	}
}

// FuzzParse: whatever comes in, parse neither panics nor finds more than is
// there.
func FuzzParse(f *testing.F) {
	ask4, ask6 := echo(false, false, 3, 99, 64), echo(true, false, 3, 99, 64)
	for _, seed := range [][]byte{
		nil, unhex(f, captured4), unhex(f, captured6), echo(false, true, 3, 99, 64), echo(true, true, 3, 99, 64),
		ip(false, echo(false, true, 3, 99, 64), "192.0.2.9"),
		fault(3, 4, 1400, ip(false, ask4, "192.0.2.9")), fault(1, 4, 0, ip(true, ask6, "2001:db8::9")),
		ip(false, fault(11, 0, 0, ip(false, ask4, "192.0.2.9")[:28]), "10.0.0.1"),
	} {
		for flags := range uint8(16) {
			f.Add(flags, seed, 0)
		}
	}
	f.Fuzz(func(t *testing.T, flags uint8, b []byte, more int) {
		form := form{v6: flags&1 != 0, header: flags&2 != 0, verify: flags&4 != 0, raw: flags&8 != 0}
		size := len(b) + more%65536
		p := parse(form, b, size)
		switch p.kind {
		case kindReply:
			if p.size > size || p.size < tokenLen || !p.hasToken {
				t.Errorf("parse(%+v, %x, %d) = %+v, want a size within the packet and a token", form, b, size, p)
			}
		case kindFault:
			if !p.dst.IsValid() || p.dst.Is6() != form.v6 {
				t.Errorf("parse(%+v, %x, %d) = %+v, want a destination of the family", form, b, size, p)
			}
		default:
			if p.hasToken || p.dst.IsValid() {
				t.Errorf("parse(%+v, %x, %d) = %+v, want nothing read", form, b, size, p)
			}
		}
		p.readQuote(form.v6, b)
	})
}

func TestChecksum(t *testing.T) {
	t.Parallel()
	for _, size := range []int{MinSize, 9, 64, 1471, MaxSize} {
		if got := fold(sum(echo(false, false, 65535, rand.Uint64(), size))); got != 0xffff {
			t.Errorf("sum of a packet with %d bytes = %x, want ffff", size, got)
		}
	}
}

func TestFaultTexts(t *testing.T) {
	t.Parallel()
	from := netip.MustParseAddr("10.0.0.1")
	for _, tt := range []struct {
		fault Fault
		want  string
	}{
		{Fault{}, ""},
		{Fault{Type: 3, Code: 1, From: from}, "destination host unreachable (from 10.0.0.1)"},
		{Fault{Type: 3, Code: 4, MTU: 1400}, "destination unreachable: fragmentation needed, MTU 1400"},
		{Fault{Type: 3, Code: 99}, "destination unreachable, code 99"},
		{Fault{Type: 11}, "TTL exceeded in transit"},
		{Fault{Type: 12}, "parameter problem"},
		{Fault{Type: 99, Code: 1}, "ICMP type 99 code 1"},
		{Fault{V6: true, Type: 1}, "destination unreachable: no route"},
		{Fault{V6: true, Type: 2, MTU: 1280}, "packet too big, MTU 1280"},
		{Fault{V6: true, Type: 3}, "hop limit exceeded in transit"},
		{Fault{V6: true, Type: 4}, "parameter problem"},
		{Fault{V6: true, Type: 99}, "ICMPv6 type 99 code 0"},
	} {
		if got := tt.fault.String(); got != tt.want {
			t.Errorf("String(%#v) = %q, want %q", tt.fault, got, tt.want)
		}
	}
}

func TestHeap(t *testing.T) {
	t.Parallel()
	var h runHeap
	var runs []*run
	for range 500 {
		r := &run{at: rand.Int64N(1000), pos: -1}
		runs = append(runs, r)
		h.push(r)
	}
	for i, r := range runs {
		switch i % 3 {
		case 0:
			r.at = rand.Int64N(1000)
			h.fix(r)
		case 1:
			h.remove(r)
			h.remove(r) // twice does no harm
		}
	}
	last := int64(-1)
	for n := len(h); n > 0; n-- {
		r := h[0].run
		if r.at < last || r.pos != 0 || len(h) != n {
			t.Fatalf("run at %d (place %d of %d) after %d", r.at, r.pos, len(h), last)
		}
		last = r.at
		h.remove(r)
	}
	if want := 500 - 167; cap(h) < want {
		t.Errorf("the heap held %d, want %d", cap(h), want)
	}
}

// TestSlots: a slot keeps its token as long as possible, and a token finds its
// slot only.
func TestSlots(t *testing.T) {
	t.Parallel()
	s := slots{bySeq: new([1 << 16]uint32)}
	r := &run{}
	tokens := map[uint64]uint32{}
	var order []uint32
	for range 3 * slotKeep {
		i, ok := s.take(r)
		if !ok {
			t.Fatal("take = false")
		}
		tokens[s.all[i].token] = i
		order = append(order, i)
	}
	for token, i := range tokens {
		if got, x := s.byToken(token); x == nil || got != i {
			t.Fatalf("byToken(%x) = %d, want %d", token, got, i)
		}
		if _, x := s.byToken(token ^ 1<<40); x != nil {
			t.Fatalf("byToken found a token that nobody has")
		}
	}
	if _, x := s.bySequence(s.all[order[5]].seq); x != &s.all[order[5]] {
		t.Errorf("bySequence = %p, want %p", x, &s.all[order[5]])
	}
	for _, i := range order {
		s.release(i)
	}
	for n := range len(order) - slotKeep {
		if i, _ := s.take(r); i != order[n] {
			t.Fatalf("take = %d, want %d, which is free for longest", i, order[n])
		}
	}
	if i, _ := s.take(r); int(i) != len(order) {
		t.Errorf("take = %d, want a new slot %d while few are free", i, len(order))
	}
}
