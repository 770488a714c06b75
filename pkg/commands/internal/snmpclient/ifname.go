package snmpclient

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Columns of IF-MIB that interfaces are found by.
const (
	ifDescr = "1.3.6.1.2.1.2.2.1.2"
	ifName  = "1.3.6.1.2.1.31.1.1.1.1"
	ifAlias = "1.3.6.1.2.1.31.1.1.1.18"
)

const (
	maxNames  = 1024        // names that are remembered of one device
	missFor   = time.Minute // how long a name that was not there is not looked for again
	ambiguous = math.MaxUint32
)

// Selector names an interface: by ifName (or ifDescr, where the device has no
// ifName), or by ifAlias.
type Selector struct {
	Name, Alias string
}

// String is how texts call the interface.
func (s Selector) String() string {
	if s.Alias != "" {
		return fmt.Sprintf("alias %.64q", s.Alias)
	}
	return fmt.Sprintf("%.64q", s.Name)
}

// Interface is where a Selector was found: the row and the column. Index 0
// stands for nowhere.
type Interface struct {
	Index  uint32
	Column string
}

// Proof is the object that says whether the interface is still the one.
func (i Interface) Proof() string { return i.Column + "." + strconv.FormatUint(uint64(i.Index), 10) }

// Proves says whether v, the value of the interface's Proof, fits.
func (s Selector) Proves(v *Value) bool {
	want := s.Name
	if s.Alias != "" {
		want = s.Alias
	}
	return v.Type == Text && strings.TrimRight(v.Text, "\x00") == want
}

// Interfaces finds interfaces by name. What was found is remembered with the
// device: the caller asks for the Proof along with what it wants, and calls
// again with again set when that does not fit. A name that is not there is an
// Interface with Index 0; one that several interfaces have is an error.
func (c *Client) Interfaces(ctx context.Context, wanted []Selector, again bool) ([]Interface, error) {
	began := time.Now()
	if found, ok := c.known.recall(wanted, again, began); ok {
		return found, nil
	}
	select {
	case c.known.lookup <- struct{}{}:
		defer func() { <-c.known.lookup }()
	case <-ctx.Done():
		return nil, explain(ctx, c.Target(), c.set.Version, ctx.Err())
	}
	if found, ok := c.known.recall(wanted, again, began); ok { // another run did it
		return found, nil
	}
	names := map[Selector]Interface{}
	for _, s := range wanted {
		names[s] = Interface{}
	}
	for _, column := range []string{ifName, ifAlias, ifDescr} {
		if err := c.column(ctx, column, names); err != nil {
			return nil, err
		}
	}
	found := make([]Interface, len(wanted))
	for i, s := range wanted {
		if found[i] = names[s]; found[i].Index == ambiguous {
			return nil, device(c.Target(), fmt.Sprintf("several interfaces are called %s", s))
		}
	}
	c.known.remember(names)
	return found, nil
}

// column walks one column and fills in the selectors that it answers.
func (c *Client) column(ctx context.Context, column string, names map[Selector]Interface) error {
	open := map[string]Selector{}
	for s, i := range names {
		text := s.Name
		if column == ifAlias {
			text = s.Alias
		}
		if i.Index == 0 && text != "" {
			open[text] = s
		}
	}
	if len(open) == 0 {
		return nil
	}
	return c.Walk(ctx, column, func(v Value) error {
		s, ok := open[strings.TrimRight(v.Text, "\x00")]
		index, err := strconv.ParseUint(v.OID[len(column)+1:], 10, 32)
		if !ok || err != nil || index == 0 {
			return nil
		}
		if names[s].Index != 0 {
			index = ambiguous
		}
		names[s] = Interface{Index: uint32(index), Column: column}
		return nil
	})
}

// recall gives what is remembered, if that is all of it and, when it is asked
// for again, newer than began.
func (k *known) recall(wanted []Selector, again bool, began time.Time) ([]Interface, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if again && k.walked.Before(began) {
		return nil, false
	}
	found := make([]Interface, len(wanted))
	for i, s := range wanted {
		f, ok := k.names[s]
		if !ok || f.Index == 0 && time.Since(k.walked) > missFor {
			return nil, false
		}
		found[i] = f
	}
	return found, true
}

// remember keeps what a lookup found.
func (k *known) remember(names map[Selector]Interface) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.names == nil || len(k.names)+len(names) > maxNames {
		k.names = make(map[Selector]Interface, len(names))
	}
	for s, i := range names {
		k.names[s] = i
	}
	k.walked = time.Now()
}
