package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/redpoll/redpoll/internal/yamldepth"
)

// yamlError is a fault with its place in the chunk, both from 1.
type yamlError struct {
	line, col int
	msg       string
}

func (e *yamlError) Error() string { return e.msg }

func nodeError(n ast.Node, format string, args ...any) error {
	e := &yamlError{line: 1, col: 1, msg: fmt.Sprintf(format, args...)}
	if tok := startOf(n); tok != nil {
		e.line, e.col = tok.Position.Line, tok.Position.Column
	}
	return e
}

// startOf gives the first token of a node: the token of a map is the colon
// after its first key.
func startOf(n ast.Node) *token.Token {
	switch x := n.(type) {
	case *ast.MappingNode:
		if !x.IsFlowStyle && len(x.Values) > 0 {
			return startOf(x.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return startOf(x.Key)
	}
	return n.GetToken()
}

// parseYAML reads a chunk into the nodes of the checks in it.
func parseYAML(text []byte) ([]ast.Node, *anchors, error) {
	var deep *yamldepth.Error
	if errors.As(yamldepth.Check(text), &deep) {
		return nil, nil, &yamlError{deep.Line, deep.Column, deep.Error()}
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		var se *yaml.SyntaxError
		if errors.As(err, &se) && se.Token != nil {
			pos := se.Token.Position
			return nil, nil, &yamlError{pos.Line, pos.Column, se.Message}
		}
		return nil, nil, &yamlError{1, 1, err.Error()}
	}
	known := &anchors{nodes: make(map[string]ast.Node)}
	var out []ast.Node
	for _, doc := range file.Docs {
		ast.Walk(known, doc)
		switch body := doc.Body.(type) {
		case nil, *ast.CommentGroupNode:
		case *ast.SequenceNode:
			out = append(out, body.Values...)
		default:
			out = append(out, body)
		}
	}
	return out, known, nil
}

// anchors are the named nodes of a document.
type anchors struct{ nodes map[string]ast.Node }

// Visit collects the anchors of a tree.
func (a *anchors) Visit(n ast.Node) ast.Visitor {
	if x, ok := n.(*ast.AnchorNode); ok {
		a.nodes[x.Name.GetToken().Value] = x.Value
	}
	return a
}

// yamlToJSON writes a node as JSON. The limit stops aliases of aliases of
// aliases from growing without end.
func yamlToJSON(n ast.Node, known *anchors, limit int) ([]byte, error) {
	c := &yamlConverter{known: known, limit: limit}
	if err := c.node(n, nil); err != nil {
		return nil, err
	}
	return c.Bytes(), nil
}

type yamlConverter struct {
	bytes.Buffer
	known *anchors
	limit int
	depth int
}

// exponent is a number that the YAML library takes for text unless it is quoted.
var exponent = regexp.MustCompile(`^-?(0|[1-9][0-9]*)[eE][+-]?[0-9]+$`)

const yamlDepth = 100 // deeper than any params; keeps an alias of itself from recursing for ever

func (c *yamlConverter) node(n ast.Node, path []string) error {
	if c.depth++; c.depth > yamlDepth || c.Len() > c.limit {
		return nodeError(n, "larger than a check may be")
	}
	defer func() { c.depth-- }()
	switch n := n.(type) {
	case *ast.AnchorNode:
		return c.node(n.Value, path)
	case *ast.TagNode:
		return c.node(n.Value, path)
	case *ast.AliasNode:
		target, ok := c.known.nodes[n.Value.GetToken().Value]
		if !ok {
			return nodeError(n, "no anchor of this name")
		}
		return c.node(target, path)
	case *ast.SequenceNode:
		c.WriteByte('[')
		for i, v := range n.Values {
			if i > 0 {
				c.WriteByte(',')
			}
			if err := c.node(v, append(path, strconv.Itoa(i))); err != nil {
				return err
			}
		}
		c.WriteByte(']')
		return nil
	case ast.MapNode:
		return c.mapping(n, path)
	}
	return c.scalar(n, path)
}

func (c *yamlConverter) scalar(n ast.Node, path []string) error {
	tok := n.GetToken()
	switch n := n.(type) {
	case nil, *ast.NullNode:
		c.WriteString("null")
		return nil
	case *ast.StringNode:
		if exponent.MatchString(n.Value) && tok.Type == token.StringType && !wantsText(path) {
			c.WriteString(n.Value)
			return nil
		}
		return c.text(n.Value)
	case *ast.LiteralNode:
		return c.text(n.Value.Value)
	case *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode:
		if wantsText(path) {
			return c.text(tok.Value)
		}
		if json.Valid([]byte(tok.Value)) {
			c.WriteString(tok.Value)
			return nil
		}
		text, err := json.Marshal(n.(ast.ScalarNode).GetValue())
		if err != nil {
			return nodeError(n, "%s cannot be read as a number", tok.Value)
		}
		c.Write(text)
		return nil
	}
	return nodeError(n, "a check cannot hold this kind of value (%s)", n.Type())
}

func (c *yamlConverter) text(s string) error {
	text, err := json.Marshal(s)
	c.Write(text)
	return err
}

// wantsText says whether the field at path is text in a check, so that
// `vlan: 100` among the labels and `id: 10` need no quotes.
func wantsText(path []string) bool {
	switch {
	case len(path) == 1:
		return slices.Contains([]string{"id", "command", "cron", "timezone", "zone", "at"}, path[0])
	case len(path) == 2:
		return path[0] == "labels" || path[0] == "handlers"
	}
	return false
}

func (c *yamlConverter) mapping(n ast.MapNode, path []string) error {
	values, err := c.known.merged(n, 0)
	if err != nil {
		return err
	}
	c.WriteByte('{')
	for i, v := range values {
		if i > 0 {
			c.WriteByte(',')
		}
		key := keyText(v)
		if err := c.text(key); err != nil {
			return err
		}
		c.WriteByte(':')
		if err := c.node(v.Value, append(path, key)); err != nil {
			return err
		}
	}
	c.WriteByte('}')
	return nil
}

func keyText(v *ast.MappingValueNode) string {
	if s, ok := v.Key.(*ast.StringNode); ok {
		return s.Value
	}
	return v.Key.GetToken().Value
}
