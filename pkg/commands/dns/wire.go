package dns

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

// codec is all that this command asks of a DNS library.
type codec interface {
	// pack makes the message that asks q, with the id 0.
	pack(q question) ([]byte, error)
	// unpack reads the answer to q. errOther says that the message answers
	// something else.
	unpack(message []byte, q question) (answer, error)
}

var errOther = errors.New("the message does not answer the question")

// question is what is asked for.
type question struct {
	name    string // as the user wrote it, or the reverse name of an address
	kind    string // A, MX, ...
	recurse bool
}

// answer is what came back.
type answer struct {
	rcode     string
	truncated bool
	records   []record // of the type that was asked for
}

// record is one value, in each of the ways that an expectation may write it;
// the first one is the full one.
type record struct{ forms []string }

// kinds are the types that can be asked for.
var kinds = map[string]uint16{
	"A": dns.TypeA, "AAAA": dns.TypeAAAA, "CNAME": dns.TypeCNAME, "MX": dns.TypeMX, "TXT": dns.TypeTXT,
	"PTR": dns.TypePTR, "NS": dns.TypeNS, "SOA": dns.TypeSOA, "SRV": dns.TypeSRV, "CAA": dns.TypeCAA,
}

const (
	headerLen = 12   // RFC 1035, 4.1.1
	udpSize   = 1232 // what passes everywhere without fragments (DNS flag day 2020)
)

// miekg is the codec on github.com/miekg/dns.
type miekg struct{}

func (miekg) pack(q question) ([]byte, error) {
	if _, ok := dns.IsDomainName(q.name); !ok {
		return nil, fmt.Errorf("%.64q is no domain name", q.name)
	}
	m := new(dns.Msg)
	m.SetQuestion(dns.Fqdn(q.name), kinds[q.kind])
	m.RecursionDesired = q.recurse
	m.SetEdns0(udpSize, false)
	m.Id = 0
	return m.Pack()
}

func (miekg) unpack(message []byte, q question) (answer, error) {
	if len(message) < headerLen {
		return answer{}, fmt.Errorf("a message of %d bytes", len(message))
	}
	m := new(dns.Msg)
	err := m.Unpack(message)
	if err != nil && !m.Truncated {
		return answer{}, fmt.Errorf("unreadable message: %w", err)
	}
	if !m.Response || len(m.Question) > 1 ||
		len(m.Question) == 1 && (m.Question[0].Qtype != kinds[q.kind] || !strings.EqualFold(m.Question[0].Name, dns.Fqdn(q.name))) {
		return answer{}, errOther
	}
	a := answer{truncated: m.Truncated, rcode: rcodeName(m.Rcode)}
	if len(m.Question) == 0 && m.Rcode == dns.RcodeSuccess {
		return answer{}, errOther // only refusals may leave the question out
	}
	for _, rr := range m.Answer {
		if rr.Header().Rrtype == kinds[q.kind] && rr.Header().Class == dns.ClassINET {
			a.records = append(a.records, record{forms(rr)})
		}
	}
	return a, nil
}

func rcodeName(code int) string {
	if name, ok := dns.RcodeToString[code]; ok {
		return name
	}
	return "RCODE" + strconv.Itoa(code)
}

// knownRcode says whether name is a response code.
func knownRcode(name string) bool {
	_, ok := dns.StringToRcode[name]
	return ok
}

// forms gives the ways in which a record may be expected: as master files
// write it, names without the dot at the end and in lower case, then shorter.
func forms(rr dns.RR) []string {
	switch r := rr.(type) {
	case *dns.A:
		return []string{r.A.String()}
	case *dns.AAAA:
		return []string{r.AAAA.String()}
	case *dns.CNAME:
		return []string{host(r.Target)}
	case *dns.NS:
		return []string{host(r.Ns)}
	case *dns.PTR:
		return []string{host(r.Ptr)}
	case *dns.MX:
		return []string{fmt.Sprintf("%d %s", r.Preference, host(r.Mx)), host(r.Mx)}
	case *dns.TXT:
		return []string{unescape(strings.Join(r.Txt, ""))}
	case *dns.SRV:
		return []string{
			fmt.Sprintf("%d %d %d %s", r.Priority, r.Weight, r.Port, host(r.Target)),
			fmt.Sprintf("%s:%d", host(r.Target), r.Port), host(r.Target),
		}
	case *dns.SOA:
		return []string{
			fmt.Sprintf("%s %s %d %d %d %d %d", host(r.Ns), host(r.Mbox), r.Serial, r.Refresh, r.Retry, r.Expire, r.Minttl),
			host(r.Ns), strconv.FormatUint(uint64(r.Serial), 10),
		}
	case *dns.CAA:
		return []string{fmt.Sprintf("%d %s %s", r.Flag, r.Tag, r.Value), fmt.Sprintf("%s %s", r.Tag, r.Value), r.Value}
	}
	return []string{strings.TrimPrefix(rr.String(), rr.Header().String())}
}

// unescape undoes the \" \\ \123 that the library writes into texts.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b = append(b, s[i])
			continue
		}
		if n, err := strconv.ParseUint(s[i+1:min(i+4, len(s))], 10, 8); err == nil && i+4 <= len(s) {
			b = append(b, byte(n))
			i += 3
			continue
		}
		i++
		b = append(b, s[i])
	}
	return string(b)
}

func host(name string) string {
	if name == "." {
		return name
	}
	return strings.ToLower(strings.TrimSuffix(name, "."))
}

// reverse gives the name under in-addr.arpa or ip6.arpa when name is an
// address, else name.
func reverse(name string) string {
	if _, err := netip.ParseAddr(name); err != nil {
		return name
	}
	r, err := dns.ReverseAddr(name)
	if err != nil {
		return name
	}
	return r
}

func setID(message []byte, id uint16) { binary.BigEndian.PutUint16(message, id) }

func hasID(message []byte, id uint16) bool {
	return len(message) >= 2 && binary.BigEndian.Uint16(message) == id
}
