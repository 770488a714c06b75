package snmpclient

import (
	"bytes"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gosnmp/gosnmp"
)

// answerOf writes an answer as gosnmp does.
func answerOf(t testing.TB, version gosnmp.SnmpVersion, id uint32, vars ...gosnmp.SnmpPDU) []byte {
	t.Helper()
	p := &gosnmp.SnmpPacket{Version: version, Community: "public", PDUType: gosnmp.GetResponse, RequestID: id, Variables: vars}
	raw, err := p.MarshalMsg()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// plainVars are values of all the types that decode knows.
func plainVars() []gosnmp.SnmpPDU {
	return []gosnmp.SnmpPDU{
		{Name: "1.3.6.1.2.1.1.3.0", Type: gosnmp.TimeTicks, Value: uint32(math.MaxUint32)},
		{Name: "1.3.6.1.2.1.1.5.0", Type: gosnmp.OctetString, Value: "core1"},
		{Name: "1.3.6.1.2.1.1.6.0", Type: gosnmp.OctetString, Value: strings.Repeat("x", 300)},
		{Name: "1.3.6.1.2.1.2.2.1.10.4294967295", Type: gosnmp.Counter32, Value: uint32(1 << 31)},
		{Name: "1.3.6.1.2.1.2.2.1.5.1", Type: gosnmp.Gauge32, Value: uint32(0)},
		{Name: "1.3.6.1.2.1.31.1.1.1.6.1", Type: gosnmp.Counter64, Value: uint64(math.MaxUint64)},
		{Name: "1.3.6.1.2.1.2.2.1.8.1", Type: gosnmp.Integer, Value: -129},
		{Name: "1.3.6.1.2.1.2.2.1.8.2", Type: gosnmp.Integer, Value: math.MaxInt32},
		{Name: "2.999.3", Type: gosnmp.Null},
		{Name: "1.3.6.1.2.1.99.1", Type: gosnmp.NoSuchObject},
		{Name: "1.3.6.1.2.1.99.2", Type: gosnmp.NoSuchInstance},
		{Name: "1.3.6.1.2.1.99.3", Type: gosnmp.EndOfMibView},
	}
}

// sameAsLibrary compares decode, where it took the packet, with gosnmp.
func sameAsLibrary(t *testing.T, raw []byte, oids []string) (took bool) {
	t.Helper()
	got, ok := decode(slices.Clone(raw), oids)
	if !ok {
		return false
	}
	want, err := (&gosnmp.GoSNMP{}).SnmpDecodePacket(slices.Clone(raw))
	if err != nil {
		t.Fatalf("decode(% x) = %+v, gosnmp says %v", raw, got, err)
	}
	if got.Version != want.Version || got.PDUType != want.PDUType || got.RequestID != want.RequestID || got.Error != want.Error ||
		got.ErrorIndex != want.ErrorIndex || len(got.Variables) != len(want.Variables) {
		t.Fatalf("decode(% x) = %+v, gosnmp says %+v", raw, got, want)
	}
	now := time.Now()
	for i := range got.Variables {
		if a, b := convert(got.Variables[i], now), convert(want.Variables[i], now); !reflect.DeepEqual(a, b) {
			t.Fatalf("decode(% x): object %d is %+v, gosnmp says %+v", raw, i, a, b)
		}
	}
	return true
}

func TestDecode(t *testing.T) {
	t.Parallel()
	vars := plainVars()
	var oids []string
	for _, v := range vars {
		oids = append(oids, v.Name)
	}
	for _, version := range []gosnmp.SnmpVersion{gosnmp.Version1, gosnmp.Version2c} {
		for _, id := range []uint32{1, 127, 128, 65535, maxID} {
			if !sameAsLibrary(t, answerOf(t, version, id, vars...), oids) {
				t.Errorf("an answer of version %s with the id %d was left to gosnmp", version, id)
			}
		}
	}
	for name, v := range map[string]gosnmp.SnmpPDU{
		"address": {Name: "1.3.6.1.2.1.4.20.1.1.1", Type: gosnmp.IPAddress, Value: "192.0.2.1"},
		"OID":     {Name: "1.3.6.1.2.1.1.2.0", Type: gosnmp.ObjectIdentifier, Value: ".1.3.6.1.4.1"},
	} {
		if sameAsLibrary(t, answerOf(t, gosnmp.Version2c, 1, v), []string{v.Name}) {
			t.Errorf("decode took an answer with an %s", name)
		}
	}
}

// TestDecodeCutShort: no part of an answer passes for a whole one, whatever its
// length claims.
func TestDecodeCutShort(t *testing.T) {
	t.Parallel()
	raw := answerOf(t, gosnmp.Version2c, 7, plainVars()...)
	for n := range raw {
		if p, ok := decode(raw[:n], nil); ok {
			t.Fatalf("decode of %d of %d bytes = %+v", n, len(raw), p)
		}
	}
	if p, ok := decode(append(bytes.Clone(raw), 0), nil); ok {
		t.Fatalf("decode of one byte too many = %+v", p)
	}
}

// FuzzDecode: what decode takes, gosnmp takes and reads in the same way.
func FuzzDecode(f *testing.F) {
	f.Add(answerOf(f, gosnmp.Version2c, 7, plainVars()...))
	for _, v := range plainVars() {
		f.Add(answerOf(f, gosnmp.Version1, 128, v))
	}
	f.Fuzz(func(t *testing.T, raw []byte) { sameAsLibrary(t, raw, []string{"1.3.6.1.2.1.1.3.0"}) })
}
