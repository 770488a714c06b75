package check

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"sync"
)

// fieldsOf maps the JSON names of a struct's fields to their index paths. A
// field hides those of the same name that are embedded deeper.
func fieldsOf(t reflect.Type) map[string][]int {
	if known, ok := fieldCache.Load(t); ok {
		return known.(map[string][]int)
	}
	all, _ := fieldCache.LoadOrStore(t, readFields(t))
	return all.(map[string][]int)
}

// fieldCache keeps what reflection found out: reflect.Type -> map[string][]int.
// There are as many types as there are params in the program.
var fieldCache sync.Map

func readFields(t reflect.Type) map[string][]int {
	all := map[string][]int{}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Tag.Get("json") == "-", flattens(f, name), !f.IsExported(), hiddenParent(t, f.Index):
			continue
		case name == "":
			name = f.Name
		}
		if old, ok := all[name]; !ok || len(f.Index) < len(old) {
			all[name] = f.Index
		}
	}
	return all
}

// flattens says whether the fields of an embedded struct stand in its parent.
func flattens(f reflect.StructField, name string) bool {
	t := f.Type
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return f.Anonymous && name == "" && t.Kind() == reflect.Struct
}

// hiddenParent says whether a field is reached through an embedded struct that
// does not flatten, or cannot be reached (an unexported pointer).
func hiddenParent(t reflect.Type, index []int) bool {
	for i := 1; i < len(index); i++ {
		f := t.FieldByIndex(index[:i])
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !flattens(f, name) || f.Type.Kind() == reflect.Pointer && !f.IsExported() {
			return true
		}
	}
	return false
}

// fieldAt finds a field by its index path and makes the embedded pointers on
// the way.
func fieldAt(v reflect.Value, index []int) reflect.Value {
	for i, n := range index {
		if i > 0 && v.Kind() == reflect.Pointer {
			fresh := reflect.New(v.Type().Elem())
			if !v.IsNil() {
				fresh.Elem().Set(v.Elem())
			}
			v.Set(fresh)
			v = fresh.Elem()
		}
		v = v.Field(n)
	}
	return v
}

// items reads a list. A text is a comma list, another scalar a list of one,
// where the items are scalars themselves.
func (d *decoder) items(path string, v any, to reflect.Value) {
	items, ok := v.([]any)
	if !ok {
		if items, ok = scalarList(v, to.Type().Elem()); !ok {
			d.addf(path, "want a list, got %s", show(v))
			return
		}
	}
	fresh := reflect.MakeSlice(to.Type(), len(items), len(items))
	for i, item := range items {
		d.value(fmt.Sprintf("%s[%d]", path, i), item, fresh.Index(i))
	}
	to.Set(fresh)
}

func scalarList(v any, elem reflect.Type) ([]any, bool) {
	switch elem.Kind() {
	case reflect.Struct, reflect.Map, reflect.Slice, reflect.Interface, reflect.Pointer:
		return nil, false
	}
	switch v := v.(type) {
	case string:
		items := []any{}
		for part := range strings.SplitSeq(v, ",") {
			if part = strings.TrimSpace(part); part != "" {
				items = append(items, part)
			}
		}
		return items, true
	case map[string]any:
		return nil, false
	}
	return []any{v}, true
}

// scalar reads texts, truths and numbers.
func (d *decoder) scalar(path string, v any, to reflect.Value) {
	switch to.Kind() {
	case reflect.String:
		s, ok := v.(string)
		if !ok {
			d.addf(path, "want a string, got %s", show(v))
			return
		}
		to.SetString(s)
	case reflect.Bool:
		b, ok := v.(bool)
		if s, text := v.(string); text && (s == "true" || s == "false") {
			b, ok = s == "true", true
		}
		if !ok {
			d.addf(path, "want true or false, got %s", show(v))
			return
		}
		to.SetBool(b)
	default:
		d.number(path, v, to)
	}
}

// number reads a number or a text that is one.
func (d *decoder) number(path string, v any, to reflect.Value) {
	var digits string
	switch v := v.(type) {
	case json.Number:
		digits = v.String()
	case string:
		digits = strings.TrimSpace(v)
	}
	want, err := "a number", error(nil)
	switch kind := to.Kind(); {
	case kind == reflect.String: // json.Number
		if err = finite(digits, 64, nil); err == nil {
			to.SetString(digits)
		}
	case to.CanInt():
		var n int64
		want = fmt.Sprintf("a whole number of %d bits", to.Type().Bits())
		if n, err = strconv.ParseInt(digits, 10, to.Type().Bits()); err == nil {
			to.SetInt(n)
		}
	case to.CanUint():
		var n uint64
		want = fmt.Sprintf("a whole number of %d bits, not negative", to.Type().Bits())
		if n, err = strconv.ParseUint(digits, 10, to.Type().Bits()); err == nil {
			to.SetUint(n)
		}
	case to.CanFloat():
		err = finite(digits, to.Type().Bits(), to.SetFloat)
	default:
		d.addf(path, "cannot be set: no way to read a %s", to.Type())
		return
	}
	if err != nil {
		d.addf(path, "want %s, got %s", want, show(v))
	}
}

// finite reads a number as JSON writes it: no NaN, no Inf, no hex.
func finite(digits string, size int, set func(float64)) error {
	if !json.Valid([]byte(digits)) {
		return strconv.ErrSyntax
	}
	n, err := strconv.ParseFloat(digits, size)
	if err == nil && set != nil {
		set(n)
	}
	if math.IsInf(n, 0) || math.IsNaN(n) {
		return strconv.ErrRange
	}
	return err
}

// show gives a value as an error message shows it: short, on one line.
func show(v any) string {
	switch v := v.(type) {
	case string:
		return quoteShort(v)
	case json.Number:
		if len(v) > 40 {
			return "a long number"
		}
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	return "null"
}
