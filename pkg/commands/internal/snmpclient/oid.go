package snmpclient

import (
	"errors"
	"strconv"
	"strings"
)

// maxSubIDs is the most numbers that an OID has (RFC 2578, 3.5).
const maxSubIDs = 128

// ParseOID checks a numeric OID and gives it without a dot in front.
func ParseOID(text string) (string, error) {
	oid := strings.TrimPrefix(text, ".")
	subs := strings.Split(oid, ".")
	if len(subs) < 2 || len(subs) > maxSubIDs {
		return "", errors.New("want a numeric OID such as 1.3.6.1.2.1.1.3.0")
	}
	for i, sub := range subs {
		n, err := strconv.ParseUint(sub, 10, 32)
		if err != nil || len(sub) > 1 && sub[0] == '0' {
			return "", errors.New("want a numeric OID such as 1.3.6.1.2.1.1.3.0")
		}
		if i == 0 && n > 2 || i == 1 && subs[0] < "2" && n > 39 {
			return "", errors.New("no OID starts like this")
		}
	}
	return oid, nil
}

// under says whether oid lies below root.
func under(root, oid string) bool {
	return len(oid) > len(root) && oid[len(root)] == '.' && strings.HasPrefix(oid, root)
}

// after says whether OID a comes after OID b: number by number, the longer
// one later.
func after(a, b string) bool {
	for {
		var x, y string
		x, a, _ = strings.Cut(a, ".")
		y, b, _ = strings.Cut(b, ".")
		switch {
		case x == "":
			return false
		case y == "":
			return true
		case len(x) != len(y):
			return len(x) > len(y)
		case x != y:
			return x > y
		}
	}
}
