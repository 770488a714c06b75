package http

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Statuses are the status codes that are fine, as ranges. In JSON: 200, "2xx",
// "200-204", "200,301,4xx", or a list of these.
type Statuses [][2]int

// Has says whether code is among them.
func (s Statuses) Has(code int) bool {
	for _, r := range s {
		if code >= r[0] && code <= r[1] {
			return true
		}
	}
	return false
}

// String writes the list as it may stand in JSON.
func (s Statuses) String() string {
	var b strings.Builder
	for i, r := range s {
		if i > 0 {
			b.WriteByte(',')
		}
		switch {
		case r[0] == r[1]:
			fmt.Fprint(&b, r[0])
		case r[0]%100 == 0 && r[1] == r[0]+99:
			fmt.Fprintf(&b, "%dxx", r[0]/100)
		default:
			fmt.Fprintf(&b, "%d-%d", r[0], r[1])
		}
	}
	return b.String()
}

// MarshalJSON writes the list as one text.
func (s Statuses) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// UnmarshalJSON reads any of the forms. It replaces what was there.
func (s *Statuses) UnmarshalJSON(text []byte) error {
	items := []json.RawMessage{text}
	if bytes.HasPrefix(text, []byte("[")) {
		items = nil
		if err := json.Unmarshal(text, &items); err != nil {
			return err
		}
	}
	*s = nil
	for _, item := range items {
		word := string(item)
		if bytes.HasPrefix(item, []byte(`"`)) {
			if err := json.Unmarshal(item, &word); err != nil {
				return err
			}
		}
		for _, w := range strings.Split(word, ",") {
			r, err := parseStatus(strings.TrimSpace(w))
			if err != nil {
				return err
			}
			*s = append(*s, r)
		}
	}
	return nil
}

func parseStatus(w string) (r [2]int, err error) {
	from, to, isRange := strings.Cut(w, "-")
	if len(w) == 3 && strings.EqualFold(w[1:], "xx") {
		from, to, isRange = w[:1]+"00", w[:1]+"99", true
	}
	if !isRange {
		to = from
	}
	a, errA := strconv.Atoi(from)
	b, errB := strconv.Atoi(to)
	if errA != nil || errB != nil || a < 100 || b > 599 || a > b {
		return r, fmt.Errorf(`status %.32q: want a code of 100 to 599, a class such as 2xx, or a range such as 200-204`, w)
	}
	return [2]int{a, b}, nil
}
