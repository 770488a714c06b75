package cli

import (
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// merged lists the entries of a map, those that `<<` brings in included. What
// the map says itself wins.
func (a *anchors) merged(n ast.MapNode, depth int) ([]*ast.MappingValueNode, error) {
	var own, brought []*ast.MappingValueNode
	if depth > yamlDepth {
		return nil, &yamlError{1, 1, "a map that merges itself"}
	}
	for it := n.MapRange(); it.Next(); {
		v := it.KeyValue()
		if v.Key.IsMergeKey() {
			more, err := a.merge(v.Value, depth+1)
			if err != nil {
				return nil, err
			}
			brought = append(brought, more...)
			continue
		}
		if v.Key.GetToken().Type == token.MappingKeyType {
			return nil, nodeError(v, "a key must be plain text")
		}
		own = append(own, v)
	}
	if len(brought) == 0 {
		return own, nil
	}
	seen := make(map[string]bool, len(own))
	for _, v := range own {
		seen[keyText(v)] = true
	}
	for _, v := range brought {
		if !seen[keyText(v)] {
			seen[keyText(v)] = true
			own = append(own, v)
		}
	}
	return own, nil
}

// merge gives the entries of the value of a `<<`: a map, an alias of one, or a
// list of them.
func (a *anchors) merge(n ast.Node, depth int) ([]*ast.MappingValueNode, error) {
	switch n := n.(type) {
	case *ast.AliasNode:
		if target, ok := a.nodes[n.Value.GetToken().Value]; ok && depth <= yamlDepth {
			return a.merge(target, depth+1)
		}
		return nil, nodeError(n, "no anchor of this name")
	case *ast.SequenceNode:
		var out []*ast.MappingValueNode
		for _, v := range n.Values {
			more, err := a.merge(v, depth+1)
			if err != nil {
				return nil, err
			}
			out = append(out, more...)
		}
		return out, nil
	case ast.MapNode:
		return a.merged(n, depth)
	}
	return nil, nodeError(n, "wants a map to merge")
}
