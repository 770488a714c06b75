package tools

import (
	"fmt"
	"net/netip"
	"path"
	"strings"
)

// targetList says where a secret may be sent. The zero value allows nothing.
type targetList struct {
	anywhere bool
	nets     []netip.Prefix
	names    [][]string // lower case, cut at the dots; parts may hold wildcards
}

// parseTargets reads the lines of a list. A line that cannot be read spoils
// the list: a secret is rather not sent than sent to the wrong place.
func parseTargets(text string) (targetList, error) {
	var l targetList
	for line := range strings.Lines(text) {
		entry, _, _ := strings.Cut(line, "#")
		entry = strings.ToLower(strings.TrimSpace(entry))
		if entry == "" {
			continue
		}
		if entry == "*" {
			l.anywhere = true
			continue
		}
		if p, err := parsePrefix(entry); err == nil {
			l.nets = append(l.nets, p)
			continue
		}
		if _, err := path.Match(entry, ""); err != nil || strings.ContainsAny(entry, "/:\\ \t") {
			return targetList{}, fmt.Errorf("list of targets: %.64q is no host name, address or CIDR", entry)
		}
		l.names = append(l.names, parts(entry))
	}
	return l, nil
}

// allows says whether target, a host name or an address, is in the list.
// Addresses match addresses and CIDRs only, names match names only.
func (l targetList) allows(target string) bool {
	if l.anywhere {
		return true
	}
	if a, err := netip.ParseAddr(strings.Trim(target, "[]")); err == nil {
		return contains(l.nets, a.Unmap().WithZone("")).IsValid()
	}
	want := parts(strings.ToLower(target))
	for _, name := range l.names {
		if matchName(name, want) {
			return true
		}
	}
	return false
}

// matchName compares part by part, so that a * never crosses a dot.
func matchName(pattern, name []string) bool {
	if len(pattern) != len(name) {
		return false
	}
	for i := range pattern {
		if ok, err := path.Match(pattern[i], name[i]); !ok || err != nil || name[i] == "" {
			return false
		}
	}
	return true
}

// parts cuts a host name at its dots; a dot at the end means nothing.
func parts(name string) []string {
	return strings.Split(strings.TrimSuffix(name, "."), ".")
}
