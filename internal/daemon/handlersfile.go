package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/redpoll/redpoll/internal/yamldepth"
	"github.com/redpoll/redpoll/pkg/check"
)

// The ways to deliver events to a handler.
const (
	// DeliverInline passes each result to the handler before the check goes
	// back to the queue.
	DeliverInline = "inline"
	// DeliverStream passes changes of incidents on from the stream `changes`. It
	// is the default of a check.Deliverer.
	DeliverStream = "stream"
)

// HandlerEntry is a handler as handlers.yaml names it.
type HandlerEntry struct {
	Name, Type, Delivery string
	// Default makes it a handler of the checks that name no handlers.
	Default bool
	// Timeout is 0 where the file sets none, and so is Concurrency.
	Timeout     time.Duration
	Concurrency int
	// GiveUp is 0 where the file sets none, negative for never.
	GiveUp time.Duration
	// Only is empty where the file sets none.
	Only    string
	States  []check.State
	Labels  map[string]string
	Handler check.Handler

	onlyAt ast.Node // where Only stands
}

// HandlersError holds every fault of a handlers.yaml, each with its place.
type HandlersError struct{ Faults []string }

// Error gives all faults, one a line.
func (e *HandlersError) Error() string { return strings.Join(e.Faults, "\n") }

// LoadHandlers reads a handlers.yaml: a list of entries with the keys name,
// type, delivery, default, timeout, concurrency, give_up and filter; all others
// are the settings of the type. Nothing is left open when there is an error.
func LoadHandlers(path string, types check.Handlers) ([]HandlerEntry, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return ParseHandlers(path, text, types)
}

// ParseHandlers is LoadHandlers for a text; file is its name in errors.
func ParseHandlers(file string, text []byte, types check.Handlers) ([]HandlerEntry, error) {
	r := &handlersReader{file: file, types: types, names: map[string]bool{}}
	if err := tooLarge(file, text); err != nil {
		return nil, &HandlersError{[]string{err.Error()}}
	}
	tree, err := parser.ParseBytes(text, 0)
	if err != nil {
		r.syntax(err)
	} else {
		for _, doc := range tree.Docs {
			r.document(doc)
		}
	}
	if len(r.faults) == 0 {
		return r.entries, nil
	}
	for _, e := range r.entries {
		if c, ok := e.Handler.(io.Closer); ok {
			_ = c.Close() // it was never used
		}
	}
	return nil, &HandlersError{r.faults}
}

// maxHandlersFile bounds a handlers.yaml, bytes.
const maxHandlersFile = 1 << 20

// tooLarge refuses what would take the parser minutes.
func tooLarge(file string, text []byte) error {
	if len(text) > maxHandlersFile {
		return fmt.Errorf("%s: %d bytes, want at most %d", file, len(text), maxHandlersFile)
	}
	var deep *yamldepth.Error
	if errors.As(yamldepth.Check(text), &deep) {
		return fmt.Errorf("%s:%d:%d: %w", file, deep.Line, deep.Column, deep)
	}
	return nil
}

type handlersReader struct {
	file    string
	types   check.Handlers
	names   map[string]bool
	entries []HandlerEntry
	faults  []string
}

// fault notes what is wrong at a node.
func (r *handlersReader) fault(n ast.Node, format string, args ...any) {
	line, col := 1, 1
	if tok := n.GetToken(); tok != nil && tok.Position != nil {
		line, col = tok.Position.Line, tok.Position.Column
	}
	r.faults = append(r.faults, fmt.Sprintf("%s:%d:%d: ", r.file, line, col)+fmt.Sprintf(format, args...))
}

func (r *handlersReader) syntax(err error) {
	var se *yaml.SyntaxError
	if errors.As(err, &se) && se.Token != nil {
		r.faults = append(r.faults, fmt.Sprintf("%s:%d:%d: %s", r.file, se.Token.Position.Line, se.Token.Position.Column, se.Message))
		return
	}
	r.faults = append(r.faults, fmt.Sprintf("%s: %v", r.file, err))
}

func (r *handlersReader) document(doc *ast.DocumentNode) {
	switch body := doc.Body.(type) {
	case nil, *ast.NullNode, *ast.CommentGroupNode:
	case *ast.SequenceNode:
		for _, n := range body.Values {
			r.entry(n)
		}
	default:
		r.fault(body, "want a list of handlers, each with a dash")
	}
}

var handlerName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// entry reads one handler and makes it.
func (r *handlersReader) entry(n ast.Node) {
	m, ok := n.(ast.MapNode)
	if !ok {
		r.fault(n, "want a handler: {name: metrics, type: statsd, ...}")
		return
	}
	before := len(r.faults)
	e := HandlerEntry{}
	settings, where := map[string]any{}, map[string]ast.Node{}
	for it := m.MapRange(); it.Next(); {
		key, value := it.Key().String(), it.Value()
		if where[key] != nil {
			r.fault(it.Key(), "%s is there twice", key)
			continue
		}
		where[key] = it.Key()
		if !r.own(&e, key, value) {
			var v any
			if err := yaml.NodeToValue(value, &v); err != nil {
				r.fault(value, "%s: %v", key, err)
			}
			settings[key] = v
		}
	}
	r.rules(n, &e, where)
	if len(r.faults) == before {
		r.build(n, e, settings, where)
	}
}

// own reads the keys that are redpoll's own; false for all others.
func (r *handlersReader) own(e *HandlerEntry, key string, value ast.Node) bool {
	var err error
	want := "a word"
	switch key {
	case "name":
		err = yaml.NodeToValue(value, &e.Name)
	case "type":
		err = yaml.NodeToValue(value, &e.Type)
	case "delivery":
		err = yaml.NodeToValue(value, &e.Delivery)
	case "default":
		want, err = "true or false", yaml.NodeToValue(value, &e.Default)
	case "timeout":
		want = "a duration such as 5s, more than 0"
		var text string
		if err = yaml.NodeToValue(value, &text); err == nil {
			e.Timeout, err = time.ParseDuration(text)
		}
		if err == nil && e.Timeout <= 0 {
			err = errors.New("not more than 0")
		}
	case "concurrency":
		want = "a number, 1 to 1000"
		if err = yaml.NodeToValue(value, &e.Concurrency); err == nil && (e.Concurrency < 1 || e.Concurrency > maxConcurrency) {
			err = errors.New("out of bounds")
		}
	case "give_up":
		want, err = "a duration such as 24h, or 0 for never", e.giveUp(value)
	case "filter":
		r.filter(e, value)
	default:
		return false
	}
	if err != nil {
		r.fault(value, "%s: want %s", key, want)
	}
	return true
}

// rules checks redpoll's own keys of an entry.
func (r *handlersReader) rules(n ast.Node, e *HandlerEntry, where map[string]ast.Node) {
	at := func(key string) ast.Node {
		if w := where[key]; w != nil {
			return w
		}
		return n
	}
	switch {
	case where["name"] == nil:
		r.fault(n, "name is missing")
	case !handlerName.MatchString(e.Name):
		r.fault(at("name"), "name %q: want 1 to 64 letters, digits, dots, dashes", e.Name)
	case r.names[e.Name]:
		r.fault(at("name"), "name %q: another handler has it", e.Name)
	}
	r.names[e.Name] = true
	if where["type"] == nil {
		r.fault(n, "type is missing, known: %s", strings.Join(r.types.Names(), ", "))
	}
	if d := e.Delivery; where["delivery"] != nil && d != DeliverInline && d != DeliverStream {
		r.fault(at("delivery"), "delivery %q: want inline or stream", d)
	}
}

// build makes the handler of an entry; faults of its settings are placed at
// their keys.
func (r *handlersReader) build(n ast.Node, e HandlerEntry, settings map[string]any, where map[string]ast.Node) {
	text, err := json.Marshal(settings)
	if err == nil {
		e.Handler, err = r.types.Build(e.Type, text)
	}
	if err == nil {
		r.deliveryOf(&e, n, where)
		r.entries = append(r.entries, e)
		return
	}
	for _, err := range flatten(err) {
		node := n
		var field *check.FieldError
		var unknown *check.UnknownNameError
		switch {
		case errors.As(err, &field):
			top, _, _ := strings.Cut(field.Field, ".")
			top, _, _ = strings.Cut(top, "[")
			if where[top] != nil {
				node = where[top]
			}
		case errors.As(err, &unknown):
			node = where["type"]
		}
		r.fault(node, "%s: %v", e.Name, err)
	}
}

// flatten takes joined errors apart.
func flatten(err error) (list []error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			list = append(list, flatten(e)...)
		}
		return list
	}
	return []error{err}
}
