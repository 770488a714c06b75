package check

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// FieldError says what is wrong with one field of a spec, of params or of a
// request. Functions that read those join one for every fault (errors.Join):
// each is a line of the error's text.
type FieldError struct {
	// Field is the path of the field (params.headers.host), empty when the
	// fault is in the text as a whole.
	Field string
	// Msg says what was found and what is wanted.
	Msg string
	// Unknown is set when there is no such field; Msg then names the field.
	Unknown bool
}

// Error gives "field: message".
func (e *FieldError) Error() string {
	if e.Field == "" || e.Unknown {
		return e.Msg
	}
	return e.Field + ": " + e.Msg
}

func fieldErr(name, msg string) error { return &FieldError{Field: name, Msg: msg} }

// unknownField refuses a field that does not exist, with the nearest that does.
func unknownField(path, name string, known []string) error {
	full := joinPath(path, name)
	msg := "unknown field " + full
	if near := Nearest(name, known); near != "" {
		msg += ", did you mean " + joinPath(path, near) + "?"
	}
	return &FieldError{Field: full, Msg: msg, Unknown: true}
}

// maxFaults bounds how many faults one error lists: rubbish can have thousands.
const maxFaults = 20

// faults collects the faults of one text.
type faults struct {
	list []error
	more int
}

func (f *faults) add(err error) {
	switch {
	case err == nil:
	case len(f.list) < maxFaults:
		f.list = append(f.list, err)
	default:
		f.more++
	}
}

func (f *faults) addf(name, format string, args ...any) {
	f.add(fieldErr(name, fmt.Sprintf(format, args...)))
}

func (f *faults) err() error {
	if f.more > 0 {
		return errors.Join(append(f.list, fieldErr("", fmt.Sprintf("and %d more faults", f.more)))...)
	}
	return errors.Join(f.list...)
}

// withPrefix puts a path before the fields that err names.
func withPrefix(path string, err error) error {
	var all faults
	for _, e := range leaves(err) {
		var fe *FieldError
		switch {
		case !errors.As(e, &fe):
			all.add(fmt.Errorf("%s: %w", path, e))
		case fe.Unknown:
			msg := strings.Replace(fe.Msg, "unknown field ", "unknown field "+path+".", 1)
			msg = strings.Replace(msg, "did you mean ", "did you mean "+path+".", 1)
			all.add(&FieldError{Field: path + "." + fe.Field, Msg: msg, Unknown: true})
		case fe.Field == "":
			all.add(fieldErr(path, fe.Msg))
		default:
			all.add(fieldErr(path+"."+fe.Field, fe.Msg))
		}
	}
	return all.err()
}

// leaves undoes errors.Join.
func leaves(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, leaves(e)...)
	}
	return all
}

// joinPath appends a key to a path; keys that could confuse a reader are quoted.
func joinPath(path, key string) string {
	if !plainKey(key) {
		key = quoteShort(key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

func plainKey(s string) bool {
	return match(s, 64, func(r byte) bool { return isWordByte(r) || r == '.' || r == '-' || r == ':' })
}

func isWordByte(r byte) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_'
}

// match says whether s has 1 to limit bytes that are all ok.
func match(s string, limit int, ok func(byte) bool) bool {
	if s == "" || len(s) > limit {
		return false
	}
	for i := range len(s) {
		if !ok(s[i]) {
			return false
		}
	}
	return true
}

// quoteShort quotes a text for an error message, cut to a few words.
func quoteShort(s string) string {
	const limit = 40
	if len(s) > limit {
		cut := limit
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + "..."
	}
	return strconv.Quote(s)
}
