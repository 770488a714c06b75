package influx

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// point is a line as InfluxDB reads it.
type point struct {
	measurement string
	tags        map[string]string
	fields      map[string]string // values as written, texts without their quotes
	millis      int64
}

func (p point) String() string {
	text := p.measurement
	for _, m := range []map[string]string{p.tags, p.fields} {
		text += " |"
		for _, k := range slices.Sorted(maps.Keys(m)) {
			text += fmt.Sprintf(" %s=%s", k, m[k])
		}
	}
	return fmt.Sprintf("%s | %d", text, p.millis)
}

// word reads up to one of the bytes of end that has no backslash before it.
func word(s, end string) (text, rest string) {
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' {
			i++
			continue
		}
		if strings.IndexByte(end, s[i]) >= 0 {
			return s[:i], s[i:]
		}
	}
	return s, ""
}

var unescape = strings.NewReplacer(`\,`, ",", `\=`, "=", `\ `, " ")

// decode reads lines.
func decode(text string) (all []point, err error) {
	for line := range strings.Lines(text) {
		p, err := decodeLine(strings.TrimSuffix(line, "\n"))
		if err != nil {
			return nil, fmt.Errorf("line %q: %w", line, err)
		}
		all = append(all, p)
	}
	return all, nil
}

func decodeLine(line string) (p point, err error) {
	p.tags, p.fields = map[string]string{}, map[string]string{}
	m, rest := word(line, ", ")
	p.measurement = strings.NewReplacer(`\,`, ",", `\ `, " ").Replace(m)
	if m == "" || m[0] == '#' || m[0] == '_' {
		return p, fmt.Errorf("measurement %q", m)
	}
	for strings.HasPrefix(rest, ",") {
		var k, v string
		k, rest = word(rest[1:], "=, ")
		if !strings.HasPrefix(rest, "=") {
			return p, fmt.Errorf("tag %q has no value", k)
		}
		v, rest = word(rest[1:], ", ")
		if _, twice := p.tags[unescape.Replace(k)]; twice || k == "" || v == "" || strings.Contains(strings.ReplaceAll(v, `\=`, ""), "=") {
			return p, fmt.Errorf("tag %q=%q", k, v)
		}
		p.tags[unescape.Replace(k)] = unescape.Replace(v)
	}
	for sep := " "; strings.HasPrefix(rest, sep); sep = "," {
		var k, v string
		k, rest = word(rest[1:], "=, ")
		if !strings.HasPrefix(rest, "=") {
			return p, fmt.Errorf("field %q has no value", k)
		}
		if v, rest, err = fieldValue(rest[1:]); err != nil {
			return p, err
		}
		if _, twice := p.fields[unescape.Replace(k)]; twice || k == "" {
			return p, fmt.Errorf("field %q=%q", k, v)
		}
		p.fields[unescape.Replace(k)] = v
	}
	if rest == "" || rest[0] != ' ' || len(p.fields) == 0 {
		return p, fmt.Errorf("rest %q", rest)
	}
	p.millis, err = strconv.ParseInt(rest[1:], 10, 64)
	return p, err
}

func fieldValue(s string) (v, rest string, err error) {
	if text, quoted := strings.CutPrefix(s, `"`); quoted {
		v, rest = word(text, `"`)
		if rest == "" {
			return "", "", fmt.Errorf("text %q does not end", s)
		}
		return strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(v), rest[1:], nil
	}
	v, rest = word(s, ", ")
	digits := strings.TrimRight(v, "iu")
	if _, err = strconv.ParseFloat(digits, 64); err != nil || len(v)-len(digits) > 1 {
		return "", "", fmt.Errorf("value %q", v)
	}
	return v, rest, nil
}
