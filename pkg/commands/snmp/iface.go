package snmp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redpoll/redpoll/pkg/commands/internal/snmpclient"
)

// Interface is one interface of the device: by its index (ifIndex), its name
// (ifName, or ifDescr where there is no ifName) or its alias (ifAlias, what
// operators call the description).
type Interface struct {
	Index uint32 `json:"index,omitempty"`
	Name  string `json:"name,omitempty"`
	Alias string `json:"alias,omitempty"`
	// Label stands in the names of the metrics; empty: the name, alias or
	// index, other characters than A-Z a-z 0-9 _ - replaced by _.
	Label string `json:"label,omitempty"`
	// PortSpeed is this interface's own; 0: that of the check, and else what
	// the device says.
	PortSpeed Speed `json:"port_speed,omitempty"`
}

// Interfaces is a list of interfaces. In JSON an item is an index, a name or
// an object; the whole may be a text with commas: "1,2,xe-0/0/1".
type Interfaces []Interface

// UnmarshalJSON reads the list.
func (l *Interfaces) UnmarshalJSON(text []byte) error {
	var items []json.RawMessage
	if bytes.HasPrefix(text, []byte(`"`)) {
		var words string
		if err := json.Unmarshal(text, &words); err != nil {
			return err
		}
		for word := range strings.SplitSeq(words, ",") {
			item, err := json.Marshal(strings.TrimSpace(word))
			if err != nil {
				return err
			}
			items = append(items, item)
		}
	} else if bytes.HasPrefix(text, []byte(`[`)) {
		if err := json.Unmarshal(text, &items); err != nil {
			return err
		}
	} else {
		items = []json.RawMessage{text}
	}
	list := make(Interfaces, len(items))
	for i, item := range items {
		if err := list[i].read(item); err != nil {
			return fmt.Errorf("[%d]: %w", i, err)
		}
	}
	*l = list
	return nil
}

// read reads an item of the list.
func (i *Interface) read(item json.RawMessage) error {
	if bytes.HasPrefix(item, []byte(`{`)) {
		type plain Interface
		d := json.NewDecoder(bytes.NewReader(item))
		d.DisallowUnknownFields()
		return d.Decode((*plain)(i))
	}
	word := string(item)
	if bytes.HasPrefix(item, []byte(`"`)) {
		if err := json.Unmarshal(item, &word); err != nil {
			return err
		}
	} else if word[0] < '0' || word[0] > '9' {
		return errors.New("want an index, a name or an object")
	}
	if n, err := strconv.ParseUint(word, 10, 32); err == nil {
		i.Index = uint32(n)
	} else {
		i.Name = word
	}
	return nil
}

// selector is how a named interface is looked up.
func (i *Interface) selector() snmpclient.Selector {
	return snmpclient.Selector{Name: i.Name, Alias: i.Alias}
}

// label is the interface in names of metrics.
func (i *Interface) label() string {
	switch {
	case i.Label != "":
		return i.Label
	case i.Name != "":
		return safe(i.Name)
	case i.Alias != "":
		return safe(i.Alias)
	}
	return strconv.FormatUint(uint64(i.Index), 10)
}

// safe makes a name fit for a metric.
func safe(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '_'
	}, name)
}

func (l Interfaces) validate() error {
	labels := map[string]bool{}
	for n, i := range l {
		given := 0
		for _, set := range []bool{i.Index != 0, i.Name != "", i.Alias != ""} {
			if set {
				given++
			}
		}
		switch {
		case given != 1:
			return fmt.Errorf("interfaces[%d]: want one of index, name and alias", n)
		case len(i.Name) > 255 || len(i.Alias) > 255:
			return fmt.Errorf("interfaces[%d]: longer than 255 characters", n)
		case len(i.label()) > 32 || safe(i.label()) != i.label():
			return fmt.Errorf("interfaces[%d].label: want 1 to 32 characters of A-Z a-z 0-9 _ -", n)
		case labels[i.label()]:
			return fmt.Errorf("interfaces[%d]: %q is there twice", n, i.label())
		}
		labels[i.label()] = true
	}
	return nil
}
