package snmpclient

import (
	"slices"
	"strings"
	"testing"

	"github.com/gosnmp/gosnmp"
)

// TestMessage: gosnmp reads what we write.
func TestMessage(t *testing.T) {
	t.Parallel()
	long := "1.3.6.1.4.1" + strings.Repeat(".4294967295", 100)
	for _, tt := range []struct {
		name      string
		r         request
		version   gosnmp.SnmpVersion
		community string
		id        uint32
	}{
		{"one", request{pdu: gosnmp.GetRequest, oids: []string{"1.3.6.1.2.1.1.3.0"}}, gosnmp.Version2c, "public", 1},
		{"version 1, no community", request{pdu: gosnmp.GetNextRequest, oids: []string{"1.3.6.1.2.1"}}, gosnmp.Version1, "", 127},
		{"bulk", request{pdu: gosnmp.GetBulkRequest, oids: []string{"1.3.6.1.2.1.2.2.1.1"}, rows: 200}, gosnmp.Version2c, "c", 128},
		{"odd roots", request{pdu: gosnmp.GetRequest, oids: []string{"0.0", "0.39.1", "1.0.128", "2.47.16383", "2.999.16384.0"}}, gosnmp.Version2c, "public", maxID},
		{"long", request{pdu: gosnmp.GetRequest, oids: slices.Repeat([]string{long}, 60)}, gosnmp.Version2c, strings.Repeat("x", 255), 1 << 20},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			raw, err := tt.r.message(tt.version, tt.community, tt.id)
			if err != nil {
				t.Fatal(err)
			}
			p, err := (&gosnmp.GoSNMP{}).SnmpDecodePacket(slices.Clone(raw))
			if err != nil {
				t.Fatalf("%v in % x", err, raw)
			}
			if p.Version != tt.version || p.Community != tt.community || p.PDUType != tt.r.pdu || p.RequestID != tt.id || len(p.Variables) != len(tt.r.oids) {
				t.Errorf("message = %+v, want %+v, %s, %q, %d", p, tt.r, tt.version, tt.community, tt.id)
			}
			for i, v := range p.Variables {
				if strings.TrimPrefix(v.Name, ".") != tt.r.oids[i] || v.Type != gosnmp.Null {
					t.Errorf("object %d = %s %s, want %s", i, v.Name, v.Type, tt.r.oids[i])
				}
			}
			if tt.r.rows > 0 && (p.MaxRepetitions != tt.r.rows || p.NonRepeaters != 0) {
				t.Errorf("rows = %d after %d, want %d after 0", p.MaxRepetitions, p.NonRepeaters, tt.r.rows)
			}
		})
	}
	for _, bad := range []string{"", "1", "1.", ".1.3", "1..3", "3.1", "1.40", "1.3.4294967296", "1.3.x", "1.3.99999999999999999999999999999999"} {
		if raw, err := (&request{pdu: gosnmp.GetRequest, oids: []string{bad}}).message(gosnmp.Version2c, "c", 1); err == nil {
			t.Errorf("message with OID %q = % x, want an error", bad, raw)
		}
	}
}

// FuzzMessage: every OID that is accepted comes back as it was.
func FuzzMessage(f *testing.F) {
	f.Add("1.3.6.1.2.1.1.3.0", "public", uint32(1))
	f.Add("2.999.4294967295", "", uint32(1<<31))
	f.Fuzz(func(t *testing.T, text, community string, id uint32) {
		oid, err := ParseOID(text)
		if err != nil || len(community) > maxCommunity {
			return
		}
		id &= maxID
		raw, err := (&request{pdu: gosnmp.GetRequest, oids: []string{oid}}).message(gosnmp.Version2c, community, id)
		if err != nil {
			t.Fatalf("message with OID %s: %v", oid, err)
		}
		p, err := (&gosnmp.GoSNMP{}).SnmpDecodePacket(raw)
		if err != nil || p.Community != community || p.RequestID != id || len(p.Variables) != 1 || strings.TrimPrefix(p.Variables[0].Name, ".") != oid {
			t.Fatalf("message with OID %s, %q, %d = %+v, %v", oid, community, id, p, err)
		}
	})
}
