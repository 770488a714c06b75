package redisqueue

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// header is what the comment in front of a script says, and what its body does.
type header struct {
	name  string
	text  string // the comment
	body  string
	keys  []string // names in order
	types []string // in lower case
	args  []int    // documented one by one
	from  int      // documented as ARGV[n...], or as ARGV[...] with its place unknown; 0: none
}

var (
	keyLine  = regexp.MustCompile(`(?m)^-- KEYS\[(\d+)\] +(\w+) +(STREAM|HASH|ZSET|STRING)\b`)
	argWord  = regexp.MustCompile(`ARGV\[(\d*)(\.\.\.)?\]`)
	usedKey  = regexp.MustCompile(`KEYS\[([^\]]*)\]`)
	usedArg  = regexp.MustCompile(`ARGV\[([^\]]*)\]`)
	allArgs  = regexp.MustCompile(`#ARGV|\(ARGV,`)
	typeWord = regexp.MustCompile(`(\w+), '(\w+)'`)
)

func readHeader(t *testing.T, name string) header {
	t.Helper()
	h := header{name: name}
	rest := luaText(name)
	for strings.HasPrefix(rest, "--") {
		line, more, _ := strings.Cut(rest, "\n")
		h.text, rest = h.text+line+"\n", more
	}
	h.body = regexp.MustCompile(`(?m)--.*$`).ReplaceAllString(rest, "")
	for i, m := range keyLine.FindAllStringSubmatch(h.text, -1) {
		if m[1] != strconv.Itoa(i+1) {
			t.Errorf("%s: KEYS[%s] is documented in the place of KEYS[%d]", name, m[1], i+1)
		}
		h.keys, h.types = append(h.keys, m[2]), append(h.types, strings.ToLower(m[3]))
	}
	for _, m := range argWord.FindAllStringSubmatch(h.text, -1) {
		n, _ := strconv.Atoi(m[1])
		switch {
		case m[2] == "":
			h.args = append(h.args, n)
		case h.from == 0:
			h.from = n
		}
	}
	return h
}

func scriptNames(t *testing.T) []string {
	t.Helper()
	files, err := luaFiles.ReadDir("lua")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		if name := strings.TrimSuffix(f.Name(), path.Ext(f.Name())); name != "prelude" {
			names = append(names, name)
		}
	}
	return names
}

// Every header says what the body does: purpose, keys and arguments in both
// directions, and the answer.
func TestScriptHeaders(t *testing.T) {
	t.Parallel()
	for _, name := range scriptNames(t) {
		h := readHeader(t, name)
		if !strings.HasPrefix(h.text, "-- "+name+": ") {
			t.Errorf("%s: the header does not begin with the purpose, want \"-- %s: ...\"", name, name)
		}
		if !strings.Contains(h.text, "\n-- Returns ") {
			t.Errorf("%s: the header has no line Returns", name)
		}
		h.wantKeys(t)
		h.wantArgs(t)
		h.wantTypes(t)
	}
}

func (h *header) wantKeys(t *testing.T) {
	t.Helper()
	used := map[int]bool{}
	for _, m := range usedKey.FindAllStringSubmatch(h.body, -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			t.Errorf("%s: KEYS[%s]: the keys of a script are fixed", h.name, m[1])
		}
		used[n] = true
	}
	if len(h.keys) == 0 {
		t.Errorf("%s: no key is documented", h.name)
	}
	for n := 1; n <= max(len(h.keys), len(used)); n++ {
		if documented := n <= len(h.keys); documented != used[n] {
			t.Errorf("%s: KEYS[%d] is documented: %v, is used: %v", h.name, n, documented, used[n])
		}
	}
}

func (h *header) wantArgs(t *testing.T) {
	t.Helper()
	used := map[int]bool{}
	open := allArgs.MatchString(h.body)
	for _, m := range usedArg.FindAllStringSubmatch(h.body, -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			open = true
			continue
		}
		used[n] = true
		if !slices.Contains(h.args, n) && (h.from == 0 || n < h.from) {
			t.Errorf("%s: ARGV[%d] is used and not documented", h.name, n)
		}
	}
	if open != (h.from > 0) {
		t.Errorf("%s: any number of ARGV is used: %v, documented from ARGV[%d...]", h.name, open, h.from)
	}
	slices.Sort(h.args)
	for i, n := range h.args {
		if !used[n] {
			t.Errorf("%s: ARGV[%d] is documented and not used", h.name, n)
		}
		if n != i+1 {
			t.Errorf("%s: ARGV[%d] is documented in the place of ARGV[%d]", h.name, n, i+1)
		}
	}
	if h.from > 0 && h.from != len(h.args)+1 {
		t.Errorf("%s: ARGV[%d...] is documented behind ARGV[%d]", h.name, h.from, len(h.args))
	}
}

// wantTypes holds the check of types, which stands in front of everything
// else, against the header.
func (h *header) wantTypes(t *testing.T) {
	t.Helper()
	check, rest, ok := strings.Cut(h.body, "if wrong then return wrong end")
	if !ok || strings.Contains(check, "redis.call") {
		t.Errorf("%s: the types of keys are not checked before anything else", h.name)
		return
	}
	_, check, _ = strings.Cut(check, "wrong_type(")
	var names, types []string
	for _, m := range typeWord.FindAllStringSubmatch(check, -1) {
		names, types = append(names, m[1]), append(types, m[2])
	}
	if !slices.Equal(names, h.keys) || !slices.Equal(types, h.types) {
		t.Errorf("%s: types are checked of %v %v, documented are %v %v", h.name, names, types, h.keys, h.types)
	}
	for i, name := range h.keys {
		if !regexp.MustCompile(`\b` + name + `\b`).MatchString(rest) {
			t.Errorf("%s: KEYS[%d] %s is checked and not used", h.name, i+1, name)
		}
	}
}

// The Go files pass the keys that the headers say, in that order and all of
// one lane.
func TestScriptsGetTheKeysOfOneLane(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok {
				for name, keys := range callsOfScripts(fn) {
					seen[name] = true
					wantSameKeys(t, name, keys)
				}
			}
		}
	}
	// What a lane's ready stream is called is known to the callers of consumer.
	for _, name := range scriptNames(t) {
		if !seen[name] && name != "consumer" {
			t.Errorf("no call of %s was found", name)
		}
	}
}

// callsOfScripts finds the scripts that a function uses, and the keys.
func callsOfScripts(fn *ast.FuncDecl) map[string][]*ast.CallExpr {
	out := map[string][]*ast.CallExpr{}
	var keys []*ast.CallExpr
	ast.Inspect(fn, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Ident:
			if name, ok := strings.CutSuffix(n.Name, "Script"); ok && name != "" {
				out[name] = nil
			}
		case *ast.CompositeLit:
			for _, e := range n.Elts {
				if call, ok := e.(*ast.CallExpr); ok && strings.HasPrefix(methodName(call), "Key") {
					keys = append(keys, call)
				}
			}
		}
		return true
	})
	for name := range out {
		if len(keys) == 0 {
			delete(out, name)
			continue
		}
		out[name] = keys
	}
	return out
}

func methodName(call *ast.CallExpr) string {
	if s, ok := call.Fun.(*ast.SelectorExpr); ok {
		return s.Sel.Name
	}
	return ""
}

func wantSameKeys(t *testing.T, script string, keys []*ast.CallExpr) {
	t.Helper()
	h := readHeader(t, script)
	var names, lanes []string
	for _, k := range keys {
		name := strings.ToLower(strings.TrimPrefix(methodName(k), "Key"))
		if name != "intake" {
			name = strings.TrimPrefix(name, "intake")
		}
		names = append(names, name)
		if len(k.Args) > 0 {
			lanes = append(lanes, exprText(k.Args[0]))
		}
	}
	if !slices.Equal(names, h.keys) {
		t.Errorf("%s gets the keys %v, its header says %v", script, names, h.keys)
	}
	if slices.Sort(lanes); len(slices.Compact(lanes)) > 1 || (len(lanes) == 0 && len(keys) > 1) {
		t.Errorf("%s gets keys of more than one slot: %v of %v", script, names, lanes)
	}
}

func exprText(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return exprText(e.X) + "." + e.Sel.Name
	}
	return "?"
}
