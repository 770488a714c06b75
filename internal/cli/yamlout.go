package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// jsonToYAML rewrites JSON as YAML in block style. The order of keys and the
// digits of numbers stay as they are, so that reading it back gives the same
// JSON. A YAML library is not used for that: those at hand write the text
// "1e3" and the key "<<" in a way that reads back as something else.
func jsonToYAML(text []byte) ([]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	w := &yamlWriter{dec: dec}
	if err := w.value(0, false); err != nil {
		return nil, fmt.Errorf("write YAML: %w", err)
	}
	return bytes.TrimLeft(w.Bytes(), " \n"), nil
}

type yamlWriter struct {
	bytes.Buffer
	dec *json.Decoder
}

// value writes one value and the end of its line. In front of it stands a
// line's indentation and "key:" or "-"; after a "-" a map starts on that line.
func (w *yamlWriter) value(indent int, inList bool) error {
	tok, err := w.dec.Token()
	if err != nil {
		return err
	}
	switch t := tok.(type) {
	case json.Delim:
		if !w.dec.More() {
			w.WriteString(map[json.Delim]string{'[': " []\n", '{': " {}\n"}[t])
			_, err := w.dec.Token()
			return err
		}
		if t == '[' {
			return w.list(indent)
		}
		return w.mapping(indent, inList)
	case string:
		w.WriteString(" " + yamlString(t) + "\n")
	case nil:
		w.WriteString(" null\n")
	default:
		fmt.Fprintf(w, " %v\n", t)
	}
	return nil
}

func (w *yamlWriter) list(indent int) error {
	w.WriteByte('\n')
	for w.dec.More() {
		w.WriteString(strings.Repeat("  ", indent) + "-")
		if err := w.value(indent+1, true); err != nil {
			return err
		}
	}
	_, err := w.dec.Token()
	return err
}

func (w *yamlWriter) mapping(indent int, inList bool) error {
	lead := "\n" + strings.Repeat("  ", indent)
	if inList {
		lead = " "
	}
	for w.dec.More() {
		key, err := w.dec.Token()
		if err != nil {
			return err
		}
		w.WriteString(lead + yamlString(key.(string)) + ":")
		if err := w.value(indent+1, false); err != nil {
			return err
		}
		lead = strings.Repeat("  ", indent)
	}
	_, err := w.dec.Token()
	return err
}

var (
	yamlPlain    = regexp.MustCompile(`^[A-Za-z/_]([A-Za-z0-9_./@+%=-]|[: ][A-Za-z0-9_./@+])*$`)
	yamlDuration = regexp.MustCompile(`^([0-9]+(ns|us|ms|s|m|h))+$`)
	yamlIPv4     = regexp.MustCompile(`^[0-9]+(\.[0-9]+){3}(:[0-9]+)?$`) // two dots or more are no number
	yamlReserved = regexp.MustCompile(`(?i)^(true|false|null|yes|no|on|off|y|n)$`)
)

// yamlString writes text so that every YAML reader takes it for just that.
func yamlString(s string) string {
	if yamlDuration.MatchString(s) || yamlIPv4.MatchString(s) || yamlPlain.MatchString(s) && !yamlReserved.MatchString(s) {
		return s
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always encodes, a Buffer always writes
	var out strings.Builder
	for _, r := range strings.TrimSuffix(buf.String(), "\n") {
		if r >= 0x7f && r < 0x10000 && !unicode.IsPrint(r) {
			fmt.Fprintf(&out, `\u%04x`, r)
			continue
		}
		out.WriteRune(r)
	}
	return out.String()
}
