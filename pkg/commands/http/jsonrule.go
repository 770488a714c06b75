package http

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// JSONRules are what a JSON body must fulfil: `path operator value` each, as
// in `a.b[0].c >= 3`. In JSON a text or a list of texts.
type JSONRules []JSONRule

// JSONRule is one of them, parsed.
type JSONRule struct {
	text  string
	path  []step
	op    string
	raw   string // the value as it was written
	value any    // the value as JSON, or raw when it is none
	match *regexp.Regexp
}

// step is a key of an object, or an index when isIndex is set; a negative
// index counts from the end.
type step struct {
	key     string
	index   int
	isIndex bool
}

var operators = []string{"==", "!=", "<", "<=", ">", ">=", "=~", "!~", "exists", "missing"}

// UnmarshalJSON reads a text or a list of texts.
func (rs *JSONRules) UnmarshalJSON(text []byte) error {
	var lines []string
	if bytes.HasPrefix(text, []byte("[")) {
		if err := json.Unmarshal(text, &lines); err != nil {
			return fmt.Errorf("want a list of texts: %w", err)
		}
	} else {
		var line string
		if err := json.Unmarshal(text, &line); err != nil {
			return fmt.Errorf("want a text or a list of texts: %w", err)
		}
		lines = []string{line}
	}
	*rs = nil
	for _, line := range lines {
		r, err := parseRule(line)
		if err != nil {
			return fmt.Errorf("%.100q: %w", line, err)
		}
		*rs = append(*rs, r)
	}
	return nil
}

// MarshalJSON writes the rules as they were read.
func (rs JSONRules) MarshalJSON() ([]byte, error) {
	lines := make([]string, 0, len(rs))
	for _, r := range rs {
		lines = append(lines, r.text)
	}
	return json.Marshal(lines)
}

func parseRule(text string) (JSONRule, error) {
	r := JSONRule{text: text}
	path, rest, err := parsePath(strings.TrimSpace(text))
	if err != nil {
		return r, err
	}
	r.path = path
	r.op, r.raw, _ = strings.Cut(strings.TrimSpace(rest), " ")
	r.raw = strings.TrimSpace(r.raw)
	if !slices.Contains(operators, r.op) {
		return r, fmt.Errorf("operator %.16q, want one of %s", r.op, strings.Join(operators, " "))
	}
	if r.op == "exists" || r.op == "missing" {
		if r.raw != "" {
			return r, fmt.Errorf("%s takes no value", r.op)
		}
		return r, nil
	}
	if r.raw == "" {
		return r, fmt.Errorf("%s needs a value", r.op)
	}
	if json.Unmarshal([]byte(r.raw), &r.value) != nil {
		r.value = r.raw
	}
	switch _, number := r.value.(float64); {
	case r.op == "=~" || r.op == "!~":
		pattern, quoted := r.value.(string)
		if !quoted {
			pattern = r.raw
		}
		r.match, err = regexp.Compile(pattern)
	case (r.op[0] == '<' || r.op[0] == '>') && !number:
		err = fmt.Errorf("%s needs a number", r.op)
	}
	return r, err
}

// parsePath reads a path up to the first space outside of quotes: names with
// dots between them, [3], [-1] and ["any name"]; $ is the whole body.
func parsePath(s string) (path []step, rest string, err error) {
	s, whole := strings.CutPrefix(s, "$")
	for first := !whole; s != "" && s[0] != ' '; first = false {
		var st step
		if s[0] == '[' {
			st, s, err = parseBracket(s)
			if err != nil {
				return nil, "", err
			}
			path = append(path, st)
			continue
		}
		if !first {
			if s[0] != '.' {
				return nil, "", fmt.Errorf("path: want . or [ before %.16q", s)
			}
			s = s[1:]
		}
		n := strings.IndexAny(s, ".[ ")
		if n < 0 {
			n = len(s)
		}
		if n == 0 {
			return nil, "", fmt.Errorf("path: an empty name before %.16q", s)
		}
		path, s = append(path, step{key: s[:n]}), s[n:]
	}
	if len(path) == 0 && !whole {
		return nil, "", fmt.Errorf("want `path operator value`")
	}
	return path, s, nil
}

// parseBracket reads [3], [-1] or ["any name"].
func parseBracket(s string) (step, string, error) {
	if strings.HasPrefix(s, `["`) {
		quoted, err := strconv.QuotedPrefix(s[1:])
		if err == nil && strings.HasPrefix(s[1+len(quoted):], "]") {
			key, err := strconv.Unquote(quoted)
			return step{key: key}, s[2+len(quoted):], err
		}
		return step{}, "", fmt.Errorf("path: %.16q has no end", s)
	}
	inner, rest, ok := strings.Cut(s[1:], "]")
	n, err := strconv.Atoi(inner)
	if !ok || err != nil {
		return step{}, "", fmt.Errorf("path: %.16q is no index", s)
	}
	return step{index: n, isIndex: true}, rest, nil
}

// find walks down from v.
func find(v any, path []step) (any, bool) {
	for _, st := range path {
		if !st.isIndex {
			object, ok := v.(map[string]any)
			if !ok {
				return nil, false
			}
			if v, ok = object[st.key]; !ok {
				return nil, false
			}
			continue
		}
		list, ok := v.([]any)
		i := st.index
		if i < 0 {
			i += len(list)
		}
		if !ok || i < 0 || i >= len(list) {
			return nil, false
		}
		v = list[i]
	}
	return v, true
}

// holds says whether the body fulfils the rule, and what was found instead.
func (r JSONRule) holds(body any) (ok bool, found string) {
	v, there := find(body, r.path)
	if !there {
		return r.op == "missing", "nothing"
	}
	found = short(v)
	text, isText := v.(string)
	if !isText {
		text = found
	}
	switch r.op {
	case "exists":
		return true, found
	case "missing":
		return false, found
	case "==":
		return r.equal(v), found
	case "!=":
		return !r.equal(v), found
	case "=~":
		return r.match.MatchString(text), found
	case "!~":
		return !r.match.MatchString(text), found
	}
	n, isNumber := v.(float64)
	return isNumber && compare(r.op, n, r.value.(float64)), found
}

// equal compares as JSON; a text also equals the value as it was written.
func (r JSONRule) equal(v any) bool {
	if text, ok := v.(string); ok {
		return text == r.value || text == r.raw
	}
	a, errA := json.Marshal(v)
	b, errB := json.Marshal(r.value)
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

func compare(op string, a, b float64) bool {
	switch op {
	case "<":
		return a < b
	case "<=":
		return a <= b
	case ">":
		return a > b
	}
	return a >= b
}

// short writes a value for people.
func short(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return "?"
	}
	const limit = 2 << 10
	return string(b[:min(len(b), limit)])
}
