package check

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"
)

// Decode reads params (or a handler's settings), a JSON object, into the
// struct that into points to. Fields that are absent keep what they have, so
// that defaults go in first; maps are merged, lists replaced; what into shares
// with others (maps, pointers) is copied, not changed.
//
// It is strict: unknown fields, wrong types and doubled fields are FieldErrors
// with the field's path, all at once. It is lenient where a flat request can
// say no better: "5" stands for 5, "true" for true, "a,b" for ["a","b"].
// Durations (Duration, time.Duration) are texts such as "1m30s". null sets
// pointers, maps and lists to nil and leaves others alone.
func Decode(params json.RawMessage, into any) error {
	to := reflect.ValueOf(into)
	if to.Kind() != reflect.Pointer || to.IsNil() {
		return fmt.Errorf("decode into %T: want a pointer", into)
	}
	if len(bytes.TrimSpace(params)) == 0 {
		return nil
	}
	tree, err := parseTree(params)
	if err != nil {
		return err
	}
	if tree == nil {
		return nil
	}
	d := decoder{}
	d.value("", tree, to.Elem())
	return d.err()
}

// decoder puts a tree of parseTree into Go values.
type decoder struct{ faults }

var (
	durationType     = reflect.TypeFor[Duration]()
	timeDurationType = reflect.TypeFor[time.Duration]()
	timeType         = reflect.TypeFor[time.Time]()
	rawType          = reflect.TypeFor[json.RawMessage]()
	numberType       = reflect.TypeFor[json.Number]()
)

func (d *decoder) value(path string, v any, to reflect.Value) {
	switch {
	case v == nil:
		switch to.Kind() {
		case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Interface:
			to.SetZero()
		}
	case to.Kind() == reflect.Pointer:
		fresh := reflect.New(to.Type().Elem())
		if !to.IsNil() {
			fresh.Elem().Set(to.Elem())
		}
		d.value(path, v, fresh.Elem())
		to.Set(fresh)
	case d.special(path, v, to), d.own(path, v, to):
	default:
		d.kind(path, v, to)
	}
}

// special reads the types that we know better than their own methods do.
func (d *decoder) special(path string, v any, to reflect.Value) bool {
	switch to.Type() {
	case durationType, timeDurationType:
		s, _ := v.(string)
		dur, err := time.ParseDuration(s)
		if err != nil {
			d.addf(path, "%s: want a duration such as 5s", show(v))
		}
		to.SetInt(int64(dur))
	case timeType:
		s, _ := v.(string)
		at, err := time.Parse(time.RFC3339, s)
		if err != nil {
			d.addf(path, "%s: want a time such as 2030-01-31T12:00:00Z", show(v))
		}
		to.Set(reflect.ValueOf(at))
	case rawType:
		raw, err := compact(v)
		if err != nil {
			d.addf(path, "%s", err)
		}
		to.SetBytes(raw)
	case numberType:
		d.number(path, v, to)
	default:
		return false
	}
	return true
}

// own lets a type read itself, as encoding/json would.
func (d *decoder) own(path string, v any, to reflect.Value) bool {
	if !to.CanAddr() {
		return false
	}
	switch u := to.Addr().Interface().(type) {
	case json.Unmarshaler:
		raw, err := compact(v)
		if err == nil {
			err = u.UnmarshalJSON(raw)
		}
		if err != nil {
			d.foreign(path, err)
		}
		return true
	case encoding.TextUnmarshaler:
		s, ok := v.(string)
		if !ok {
			d.addf(path, "want a string, got %s", show(v))
		} else if err := u.UnmarshalText([]byte(s)); err != nil {
			d.foreign(path, err)
		}
		return true
	}
	return false
}

// foreign reports the error of a type that read itself.
func (d *decoder) foreign(path string, err error) {
	for _, e := range leaves(err) {
		var fe *FieldError
		switch {
		case !errors.As(e, &fe):
			d.addf(path, "%s", CleanText(e.Error(), 256))
		case path == "":
			d.add(fe)
		default:
			d.add(withPrefix(path, fe))
		}
	}
}

// kind reads by the kind of Go value that is wanted.
func (d *decoder) kind(path string, v any, to reflect.Value) {
	switch to.Kind() {
	case reflect.Struct:
		if m, ok := v.(map[string]any); ok {
			d.object(path, m, to)
			return
		}
		d.addf(path, "want an object, got %s", show(v))
	case reflect.Map:
		d.mapping(path, v, to)
	case reflect.Slice:
		d.items(path, v, to)
	case reflect.Interface:
		if to.NumMethod() == 0 {
			to.Set(reflect.ValueOf(v))
			return
		}
		d.addf(path, "cannot be set: no way to read a %s", to.Type())
	default:
		d.scalar(path, v, to)
	}
}

// object reads a struct. Fields of embedded structs count as its own.
func (d *decoder) object(path string, m map[string]any, to reflect.Value) {
	d.fields(path, m, to, fieldsOf(to.Type()))
}

func (d *decoder) fields(path string, m map[string]any, to reflect.Value, fields map[string][]int) {
	for _, key := range keys(m) {
		index, ok := fields[key]
		if !ok {
			d.add(unknownField(path, key, keys(fields)))
			continue
		}
		d.value(joinPath(path, key), m[key], fieldAt(to, index))
	}
}

func (d *decoder) mapping(path string, v any, to reflect.Value) {
	m, ok := v.(map[string]any)
	if !ok {
		d.addf(path, "want an object, got %s", show(v))
		return
	}
	t := to.Type()
	if t.Key().Kind() != reflect.String {
		d.addf(path, "cannot be set: the keys of a %s are no strings", t)
		return
	}
	fresh := reflect.MakeMapWithSize(t, len(m)+to.Len())
	for it := to.MapRange(); it.Next(); {
		fresh.SetMapIndex(it.Key(), it.Value())
	}
	for _, k := range keys(m) {
		item := reflect.New(t.Elem()).Elem()
		d.value(joinPath(path, k), m[k], item)
		fresh.SetMapIndex(reflect.ValueOf(k).Convert(t.Key()), item)
	}
	to.Set(fresh)
}
