package check

import (
	"reflect"
	"slices"
	"strings"
	"time"
)

// downtimeFields are the fields of Downtime that a request has.
var downtimeFields = func() map[string][]int {
	all := map[string][]int{}
	for name, index := range fieldsOf(reflect.TypeFor[Downtime]()) {
		if slices.Contains(opFields[OpDowntime], name) {
			all[name] = index
		}
	}
	return all
}()

// downtime reads the fields of a downtime.
func (r *Request) downtime(fields map[string]string) error {
	var f faults
	d := &Downtime{}
	tree := map[string]any{}
	for _, name := range keys(fields) {
		value, err := flatValue(fields[name])
		if err != nil {
			for _, e := range leaves(withPrefix(joinPath("", name), err)) {
				f.add(e)
			}
			continue
		}
		label, isLabel := strings.CutPrefix(name, "labels.")
		switch {
		case name == "op":
		case isLabel:
			f.nest(tree, name, []string{"labels", label}, value)
		case downtimeFields[name] != nil:
			tree[name] = value
		case knownFlat(name):
			f.addf(joinPath("", name), "does not go with op %s", r.Op)
		default:
			f.add(unknownField("", name, opFields[OpDowntime]))
		}
	}
	dec := decoder{faults: f}
	dec.fields("", tree, reflect.ValueOf(d).Elem(), downtimeFields)
	if err := dec.err(); err != nil {
		return err
	}
	if text, given := fields["for"]; given && d.For == 0 {
		f.addf("for", "%s: want more than 0", quoteShort(text))
		return f.err()
	}
	// What does not depend on the entry is told here.
	whole := *d
	if whole.From.IsZero() && !whole.Until.IsZero() {
		whole.From = whole.Until.Add(-time.Minute)
	}
	if err := whole.Accept("0-0", 0); err != nil {
		return err
	}
	r.Downtime, r.ID, r.Zone = d, d.ID, d.ZoneName()
	return nil
}
