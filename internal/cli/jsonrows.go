package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
)

// jsonRows reads a JSON array of checks, one check, or checks one after
// another (JSON lines). After a line that is no JSON it goes on with the next
// line that starts a check.
func jsonRows(text []byte) []row {
	trimmed := bytes.TrimLeft(text, " \t\r\n")
	if len(trimmed) > 0 && trimmed[0] == '[' {
		return jsonArray(text)
	}
	var rows []row
	lines := lineIndex{text: text}
	for from := 0; ; {
		from += len(text[from:]) - len(bytes.TrimLeft(text[from:], " \t\r\n"))
		if from == len(text) {
			return rows
		}
		dec := json.NewDecoder(bytes.NewReader(text[from:]))
		var raw json.RawMessage
		err := dec.Decode(&raw)
		end := from + int(dec.InputOffset())
		if err == nil && raw[0] != '{' {
			err = errNoObject
		}
		if err != nil {
			rows = append(rows, jsonFault(&lines, from, err))
			next := bytes.Index(text[from:], []byte("\n{"))
			if next < 0 {
				return rows
			}
			from += next + 1
			continue
		}
		rows = append(rows, jsonRow(&lines, end-len(raw), raw))
		from = end
	}
}

var errNoObject = errors.New("want a check here: an object with id, command, every, ...")

// jsonArray reads the elements of an array. A mistake in its syntax ends it.
func jsonArray(text []byte) []row {
	var rows []row
	lines := lineIndex{text: text}
	dec := json.NewDecoder(bytes.NewReader(text))
	if _, err := dec.Token(); err != nil {
		return []row{jsonFault(&lines, 0, err)}
	}
	for dec.More() {
		var raw json.RawMessage
		from := int(dec.InputOffset())
		if err := dec.Decode(&raw); err != nil {
			return append(rows, jsonFault(&lines, from, err))
		}
		start := int(dec.InputOffset()) - len(raw)
		if raw[0] != '{' {
			rows = append(rows, row{at: lines.place(start), err: errNoObject, json: true})
			continue
		}
		rows = append(rows, jsonRow(&lines, start, raw))
	}
	if _, err := dec.Token(); err != nil {
		return append(rows, jsonFault(&lines, int(dec.InputOffset()), err))
	}
	if rest := bytes.TrimLeft(text[dec.InputOffset():], " \t\r\n"); len(rest) > 0 {
		at := lines.place(len(text) - len(rest))
		rows = append(rows, row{at: at, err: errors.New("something follows the list"), json: true})
	}
	return rows
}

func jsonRow(lines *lineIndex, start int, raw []byte) row {
	at := lines.place(start)
	return row{at: at, text: raw, src: chunk{raw, at.line}, json: true}
}

// jsonFault is a row that could not be read. The value begins at from, or
// after the space and the comma that stand there.
func jsonFault(lines *lineIndex, from int, err error) row {
	from += len(lines.text[from:]) - len(bytes.TrimLeft(lines.text[from:], " \t\r\n,"))
	at := lines.place(from)
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return row{at: at, err: errors.New("the text ends in the middle of a check"), json: true}
	}
	var se *json.SyntaxError
	var raw json.RawMessage
	// The decoder counts its offset from somewhere else; asked about this
	// value alone, the answer is clear.
	if errors.As(json.Unmarshal(lines.text[from:], &raw), &se) {
		at = lines.place(from + max(int(se.Offset)-1, 0))
	}
	return row{at: at, err: err, json: true}
}

// lineIndex turns rising offsets into places without counting all lines anew.
type lineIndex struct {
	text  []byte
	at    int // the last offset
	lines int // newlines before it
	start int // of its line
}

func (x *lineIndex) place(offset int) place {
	offset = min(offset, len(x.text))
	if offset < x.at {
		*x = lineIndex{text: x.text}
	}
	part := x.text[x.at:offset]
	if n := bytes.Count(part, []byte("\n")); n > 0 {
		x.lines += n
		x.start = x.at + bytes.LastIndexByte(part, '\n') + 1
	}
	x.at = offset
	return place{x.lines + 1, offset - x.start + 1}
}

// jsonPlace finds the key or element at path and gives its offset in text, or
// that of the deepest part of the path that is there.
func jsonPlace(text []byte, path []string) int {
	dec := json.NewDecoder(bytes.NewReader(text))
	best := 0
	for depth := range path {
		tok, err := dec.Token()
		open, ok := tok.(json.Delim)
		if err != nil || !ok {
			return best
		}
		at, ok := enter(dec, text, open, path[depth])
		if !ok {
			return best
		}
		best = at
	}
	return best
}

// enter goes through the object or array that was just opened until the value
// of key comes next.
func enter(dec *json.Decoder, text []byte, open json.Delim, key string) (offset int, ok bool) {
	for i := 0; dec.More(); i++ {
		at := int(dec.InputOffset())
		at += len(text[at:]) - len(bytes.TrimLeft(text[at:], " \t\r\n,:"))
		name := strconv.Itoa(i)
		if open == '{' {
			tok, err := dec.Token()
			if err != nil {
				return 0, false
			}
			name, _ = tok.(string)
		}
		if name == key {
			return at, true
		}
		var skip json.RawMessage
		if dec.Decode(&skip) != nil {
			return 0, false
		}
	}
	return 0, false
}
