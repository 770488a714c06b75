package check

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// requestFields are the fields of a set that are no fields of a spec.
var requestFields = []string{"op", "first", "spec"}

// flatMap splits params.x, labels.x, meta.x and flap.x.
func flatMap(name string) (top, rest string, ok bool) {
	top, rest, ok = strings.Cut(name, ".")
	return top, rest, ok && (top == "params" || top == "labels" || top == "meta" || top == "flap")
}

// knownFlat says whether a request of some op has such a field.
func knownFlat(name string) bool {
	_, _, ok := flatMap(name)
	return ok || checkFields[name] != nil || slices.Contains(requestFields, name) ||
		slices.Contains(opFields[OpAck], name) || slices.Contains(opFields[OpDowntime], name)
}

// set reads a set request: spec, or the flat fields of one.
func (r *Request) set(fields map[string]string) error {
	var f faults
	switch first := fields["first"]; first {
	case "spread":
		r.Spread = true
	case "", "now":
	default:
		f.addf("first", "%s: want spread or now", quoteShort(first))
	}
	spec, whole := fields["spec"]
	var c *Check
	var err error
	if whole {
		for _, name := range keys(fields) {
			if !slices.Contains(requestFields, name) {
				f.addf(joinPath("", name), "stands beside spec, which gives the check whole")
			}
		}
		if c, err = Parse([]byte(spec)); err != nil {
			r.nameOf(spec)
		}
	} else {
		c, err = fromTree(f.tree(fields), 2*MaxSpec, f.list...)
	}
	for _, e := range leaves(err) {
		f.add(e)
	}
	if err := f.err(); err != nil {
		return err
	}
	r.Check, r.Zone, r.ID = c, c.ZoneName(), c.ID
	return nil
}

// nameOf reads zone and id of a refused spec as far as they can be read.
func (r *Request) nameOf(spec string) {
	if len(spec) > MaxSpec {
		return
	}
	tree, _ := parseTree([]byte(spec))
	fields, _ := tree.(map[string]any)
	if id, _ := fields["id"].(string); validID(id) {
		r.ID = id
	}
	if zone, _ := fields["zone"].(string); validZone(zone) {
		r.Zone = zone
	}
}

// tree makes of flat fields what parseTree makes of a spec.
func (f *faults) tree(fields map[string]string) map[string]any {
	tree := map[string]any{}
	for _, name := range keys(fields) {
		if slices.Contains(requestFields, name) {
			continue
		}
		value, err := flatValue(fields[name])
		if err != nil {
			for _, e := range leaves(withPrefix(joinPath("", name), err)) {
				f.add(e)
			}
			continue
		}
		top, rest, isMap := flatMap(name)
		switch {
		case isMap && top == "params":
			f.nest(tree, name, strings.Split(name, "."), value)
		case isMap:
			f.nest(tree, name, []string{top, rest}, value)
		case checkFields[name] != nil:
			tree[name] = value
		default:
			f.add(unknownField("", name, append(keys(checkFields), requestFields...)))
		}
	}
	return tree
}

// flatValue reads a value: JSON when it begins with { or [, else a text.
func flatValue(s string) (any, error) {
	if strings.HasPrefix(s, "{") || strings.HasPrefix(s, "[") {
		return parseTree([]byte(s))
	}
	return s, nil
}

// nest puts a value at a path of keys. Fields come in sorted order, so that a
// whole object comes before what a path adds to it.
func (f *faults) nest(tree map[string]any, name string, path []string, value any) {
	if len(path) > maxDepth || slices.Contains(path, "") {
		f.addf(joinPath("", name), "want a name behind each dot, at most %d", maxDepth)
		return
	}
	last := len(path) - 1
	for i, key := range path[:last] {
		if tree[key] == nil {
			tree[key] = map[string]any{}
		}
		inner, ok := tree[key].(map[string]any)
		if !ok {
			f.addf(joinPath("", name), "stands beside %s, which is no object", strings.Join(path[:i+1], "."))
			return
		}
		tree = inner
	}
	if _, twice := tree[path[last]]; twice {
		f.addf(joinPath("", name), "stands twice")
	}
	tree[path[last]] = value
}

// Flat gives the check as the fields and values of a flat request, in the
// order field, value, field, value. ParseRequest makes the same check of them:
// params that have no flat form (numbers, names with dots) stand as JSON.
func Flat(c *Check) []string {
	list := []string{"id", c.ID, "command", c.Command}
	add := func(name, value string, given bool) {
		if given {
			list = append(list, name, value)
		}
	}
	add("every", c.Every.String(), c.Every != 0)
	if c.Phase != nil {
		add("phase", c.Phase.String(), true)
	}
	add("cron", c.Cron, c.Cron != "")
	add("timezone", c.Timezone, c.Timezone != "")
	add("at", c.At.UTC().Format(time.RFC3339Nano), !c.At.IsZero())
	add("timeout", c.Timeout.String(), c.Timeout != 0)
	add("zone", c.Zone, c.Zone != "" && c.Zone != DefaultZone)
	if params, err := parseTree(c.Params); err == nil {
		if m, ok := params.(map[string]any); ok && len(m) > 0 {
			list = flatten(list, "params", m, true)
		}
	}
	add("handlers", strings.Join(c.Handlers, ","), c.Handlers != nil)
	labels := map[string]any{}
	for k, v := range c.Labels {
		labels[k] = v
	}
	list = flatten(list, "labels", labels, false)
	list = flatten(list, "meta", c.Meta, false)
	add("attempts", strconv.Itoa(c.Attempts), c.Attempts != 0)
	add("retry_every", c.RetryEvery.String(), c.RetryEvery != 0)
	add("parents", strings.Join(c.Parents, ","), len(c.Parents) > 0)
	if c.Flap != nil {
		list = appendJSON(list, "flap", c.Flap.canonical())
	}
	add("suppress_incidents", "true", c.SuppressIncidents)
	add("paused", "true", c.Paused)
	return list
}

// flatten adds a map as fields below name, or where that would lose something
// as one JSON value. deep: dots in names mean nesting.
func flatten(list []string, name string, m map[string]any, deep bool) []string {
	if len(m) == 0 {
		return list
	}
	if !fitsFlat(m, deep) {
		raw, err := compact(m)
		if err != nil {
			return list
		}
		return append(list, name, string(raw))
	}
	for _, k := range keys(m) {
		path := name + "." + k
		switch v := m[k].(type) {
		case string:
			list = append(list, path, v)
		case map[string]any:
			if deep && len(v) > 0 {
				list = flatten(list, path, v, deep)
				continue
			}
			list = appendJSON(list, path, v)
		default:
			list = appendJSON(list, path, v)
		}
	}
	return list
}

func appendJSON(list []string, path string, v any) []string {
	raw, err := compact(v)
	if err != nil {
		return list
	}
	return append(list, path, string(raw))
}

// fitsFlat says whether every value of a map has a flat form.
func fitsFlat(m map[string]any, deep bool) bool {
	for k, v := range m {
		if k == "" || deep && strings.Contains(k, ".") {
			return false
		}
		switch v := v.(type) {
		case map[string]any, []any:
		case string:
			if strings.HasPrefix(v, "{") || strings.HasPrefix(v, "[") {
				return false
			}
		default:
			return false
		}
	}
	return true
}
