package rrdcached

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"strings"

	"github.com/redpoll/redpoll/pkg/handlers/internal/brace"
)

const (
	maxPath    = 1024 // rrdcached takes lines of 4096 bytes
	maxSegment = 255  // what file systems take
	maxValue   = 150  // of a field's value in a path, escaped
)

// inPath says what texts of paths may have: what needs no quoting anywhere, a
// colon not either, which rrdtool wants escaped.
var inPath = brace.Rules{
	Literal: func(c byte) bool { return isPlain(c) || strings.IndexByte("./,+=@", c) >= 0 },
	Want:    "a path has letters, digits and . _ - / , + = @ only",
	Fields:  []string{"metric"},
}

// isPlain says whether a byte is never escaped.
func isPlain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}

// parsePath reads the setting path.
func parsePath(text string) (brace.Template, error) {
	t, err := brace.Parse(text, inPath)
	if err != nil {
		return t, err
	}
	if !t.Has("metric") {
		return t, fmt.Errorf("%.64q has no {metric}: each metric has a file of its own", text)
	}
	for segment := range strings.SplitSeq(strings.TrimPrefix(text, "/"), "/") {
		if segment == "" || segment == "." || segment == ".." {
			return t, fmt.Errorf("%.64q has a part %q", text, segment)
		}
	}
	return t, nil
}

// appendEscaped appends a value as (a part of) the name of a file. Different
// values stay different: a byte that is not plain becomes %XX, a dot only where
// it is the first, and what is too long ends in its hash.
func appendEscaped(b []byte, value string) []byte {
	const hex = "0123456789ABCDEF"
	start := len(b)
	for i := range len(value) {
		c := value[i]
		if isPlain(c) || c == '.' && i > 0 {
			b = append(b, c)
		} else {
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
		if len(b)-start > maxValue {
			sum := fnv.New64a()
			sum.Write([]byte(value))
			return fmt.Appendf(b[:start+maxValue-20], "%%-%016x", sum.Sum64())
		}
	}
	return b
}

// fits says whether a path is one that rrdcached and file systems take.
func fits(p []byte) bool {
	if len(p) > maxPath {
		return false
	}
	for len(p) > 0 {
		segment, rest, _ := bytes.Cut(p, []byte("/"))
		if len(segment) > maxSegment {
			return false
		}
		p = rest
	}
	return true
}
