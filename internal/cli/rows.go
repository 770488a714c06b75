package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/redpoll/redpoll/pkg/check"
)

// row is one check as it stands in a file.
type row struct {
	file string
	at   place  // where it starts
	text []byte // as JSON; nil when it could not be read
	err  error  // why not
	src  chunk  // the part of the file that it came from
	nth  int    // which of the checks in src it is
	json bool   // src is JSON, not YAML
}

// place is a position in a file, from 1. The zero place is unknown.
type place struct{ line, col int }

// checkFile says whether a file in a directory holds checks.
func checkFile(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".yaml", ".yml", ".json", ".jsonl", ".ndjson":
		return true
	}
	return false
}

// readRows reads the checks of a file, of all files below a directory, or of
// stdin when the path is "-".
func (a *app) readRows(paths []string) ([]row, error) {
	var out []row
	for _, path := range paths {
		if path == "-" {
			text, err := io.ReadAll(a.Stdin)
			if err != nil {
				return nil, fmt.Errorf("read stdin: %w", err)
			}
			out = append(out, parseRows("stdin", text)...)
			continue
		}
		files, err := checkFiles(path)
		if err != nil {
			return nil, &codeError{ExitUsage, err}
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				return nil, &codeError{ExitUsage, err}
			}
			out = append(out, parseRows(file, text)...)
		}
	}
	return out, nil
}

// checkFiles lists the files of a path. A file that is named is read whatever
// its name; in directories only those that look like checks, in order.
func checkFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	var files []string
	err = filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != path && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case !d.IsDir() && checkFile(name) && !strings.HasPrefix(d.Name(), "."):
			files = append(files, name)
		}
		return nil
	})
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("%s: no .yaml, .yml, .json, .jsonl or .ndjson file in it", path)
	}
	return files, err
}

// parseRows reads the checks of one file's text. A row that cannot be read
// carries the error, the others are read all the same.
func parseRows(file string, text []byte) []row {
	isJSON := false
	switch strings.ToLower(filepath.Ext(file)) {
	case ".json", ".jsonl", ".ndjson":
		isJSON = true
	case ".yaml", ".yml":
	default:
		trimmed := bytes.TrimLeft(text, " \t\r\n")
		isJSON = len(trimmed) > 0 && (trimmed[0] == '{' || trimmed[0] == '[')
	}
	var rows []row
	if isJSON {
		rows = jsonRows(text)
	} else {
		rows = yamlRows(splitYAML(text))
	}
	for i := range rows {
		rows[i].file = file
	}
	return rows
}

// yamlRows converts chunks on all cores: YAML is slow to read.
func yamlRows(chunks []chunk) []row {
	parts := make([][]row, len(chunks))
	var wg sync.WaitGroup
	n := min(runtime.GOMAXPROCS(0), len(chunks))
	for w := range n {
		wg.Go(func() {
			for i := w; i < len(chunks); i += n {
				parts[i] = chunkRows(chunks[i])
			}
		})
	}
	wg.Wait()
	return slices.Concat(parts...)
}

func chunkRows(c chunk) []row {
	nodes, known, err := parseYAML(c.text)
	if err != nil {
		return []row{{at: c.place(err), err: err, src: c}}
	}
	rows := make([]row, len(nodes))
	for i, n := range nodes {
		r := row{src: c, nth: i, at: c.place(nodeError(n, ""))}
		if r.text, r.err = yamlToJSON(n, known, 2*check.MaxSpec); r.err != nil {
			r.at = c.place(r.err)
		} else if r.text[0] != '{' {
			r.text, r.err = nil, errors.New("want a check here: a map with id, command, every, ...")
		}
		rows[i] = r
	}
	return rows
}

// place gives the place of an error of this chunk in the file.
func (c chunk) place(err error) place {
	var ye *yamlError
	if !errors.As(err, &ye) {
		return place{c.line, 1}
	}
	return place{max(ye.line, 1) + c.line - 1, max(ye.col, 1)}
}

// id gives the check's id, if it can be seen.
func (r *row) id() string {
	var head struct {
		ID string `json:"id"`
	}
	_ = json.Unmarshal(r.text, &head) // a wrong type is somebody else's error
	return head.ID
}
