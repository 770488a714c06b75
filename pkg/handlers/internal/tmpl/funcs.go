package tmpl

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"text/template"
	"text/template/parse"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// functions are those of templates, beside the ones that text/template has.
var functions = template.FuncMap{
	"json":    toJSON,
	"quote":   func(v any) (string, error) { return toJSON(plain(v)) },
	"upper":   func(v any) string { return strings.ToUpper(plain(v)) },
	"lower":   func(v any) string { return strings.ToLower(plain(v)) },
	"default": orElse,
	"trunc":   func(n int, v any) string { return Trunc(plain(v), n) },
	"line":    func(v any) string { return check.CleanText(plain(v), maxValue) },
	"time":    formatTime,
	"slack":   func(v any) string { return slackEntities.Replace(plain(v)) },
	"printf":  printf,
	escaper:   inString,
}

// slackEntities are what Slack and its like want written otherwise: in angle
// brackets a text can call everybody.
var slackEntities = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// maxValue bounds what functions make of one value, bytes.
const maxValue = 64 << 10

// plain gives the text of a value, as a template prints it.
func plain(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	if r := reflect.ValueOf(v); r.Kind() == reflect.Pointer && r.IsNil() {
		return ""
	}
	return fmt.Sprint(v)
}

// toJSON writes a value as JSON. <, > and & stay as they are.
func toJSON(v any) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "", err
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

// orElse gives v, or instead where v prints as nothing.
func orElse(instead, v any) any {
	if plain(v) == "" {
		return instead
	}
	return v
}

// Trunc cuts a text to n characters; one that was cut ends in three dots.
func Trunc(s string, n int) string {
	n = max(n, 0)
	if len(s) <= n {
		return s
	}
	count, cut := 0, 0 // cut is where n-3 characters end
	for i := range s {
		if count == max(n-3, 0) {
			cut = i
		}
		if count == n {
			return s[:cut] + "..."[:min(n, 3)]
		}
		count++
	}
	return s
}

// formatTime writes a time in UTC by a layout of Go's package time.
func formatTime(layout string, v any) (string, error) {
	var t time.Time
	switch v := v.(type) {
	case Time:
		t = v.Time
	case time.Time:
		t = v
	default:
		return "", fmt.Errorf("time: %T is no time", v)
	}
	if t.IsZero() {
		return "", nil
	}
	return t.UTC().Format(layout), nil
}

// wide finds verbs that make a text of thousands of bytes out of nothing.
var wide = regexp.MustCompile(`%[-+# 0]*(?:\*|[0-9]{3,}|[0-9]*\.(?:\*|[0-9]{3,})|\[)`)

// printf is Go's without widths of more than two digits: a format that comes
// from a target would fill the memory.
func printf(format string, args ...any) (string, error) {
	if wide.MatchString(format) {
		return "", errors.New("printf: want widths of at most two digits")
	}
	return fmt.Sprintf(format, args...), nil
}

// escaper is the name of the function that JSON templates end their actions
// with.
const escaper = "redpoll_in_string"

// inString writes a value so that it can stand between the quotes of a JSON
// string.
func inString(v any) (string, error) {
	text, err := toJSON(plain(v))
	if err != nil {
		return "", err
	}
	return text[1 : len(text)-1], nil
}

// escapeList ends each action below the list with the escaper, but those that
// end with json or quote.
func escapeList(list *parse.ListNode) {
	if list == nil {
		return
	}
	for _, n := range list.Nodes {
		switch n := n.(type) {
		case *parse.ActionNode:
			escapePipe(n.Pipe)
		case *parse.IfNode:
			escapeBranch(&n.BranchNode)
		case *parse.RangeNode:
			escapeBranch(&n.BranchNode)
		case *parse.WithNode:
			escapeBranch(&n.BranchNode)
		}
	}
}

func escapeBranch(n *parse.BranchNode) {
	escapeList(n.List)
	escapeList(n.ElseList)
}

func escapePipe(p *parse.PipeNode) {
	if len(p.Decl) > 0 || len(p.Cmds) == 0 {
		return // it prints nothing
	}
	last := p.Cmds[len(p.Cmds)-1]
	if name, ok := last.Args[0].(*parse.IdentifierNode); ok && (name.Ident == "json" || name.Ident == "quote") {
		return
	}
	p.Cmds = append(p.Cmds, &parse.CommandNode{
		NodeType: parse.NodeCommand, Pos: p.Pos,
		Args: []parse.Node{parse.NewIdentifier(escaper).SetPos(p.Pos)},
	})
}

// CleanLines is check.CleanText for a text of several lines, which stay.
func CleanLines(s string, limit int) string {
	if !strings.Contains(s, "\n") {
		return check.CleanText(s, limit)
	}
	lines := strings.Split(s[:min(len(s), 4*limit)], "\n")
	for i, line := range lines {
		lines[i] = check.CleanText(strings.TrimSuffix(line, "\r"), limit)
	}
	s = strings.Join(lines, "\n")
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "")
	}
	return s
}
