// Command imports prints the imports of Go files as Go's own parser reads them, and needs nothing but the standard library.
//
// Standard input: a file per line. Standard output: a JSON object per file, in that order.
package main

import (
	"bufio"
	"encoding/json"
	"go/parser"
	"go/token"
	"os"
	"strconv"
)

type spec struct {
	Path string
	Line int
}

type file struct {
	File    string
	Imports []spec
	Error   string
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	encoder := json.NewEncoder(out)
	for lines.Scan() {
		if err := encoder.Encode(read(lines.Text())); err != nil {
			os.Exit(1)
		}
	}
}

func read(name string) file {
	found := file{File: name, Imports: []spec{}}
	positions := token.NewFileSet()
	parsed, err := parser.ParseFile(positions, name, nil, parser.ImportsOnly|parser.SkipObjectResolution)
	if err != nil {
		found.Error = err.Error()
	}
	if parsed == nil {
		return found
	}
	for _, each := range parsed.Imports {
		path, err := strconv.Unquote(each.Path.Value)
		if err != nil {
			found.Error = err.Error()
			continue
		}
		// The position itself, not what a //line directive makes of it.
		found.Imports = append(found.Imports, spec{path, positions.PositionFor(each.Pos(), false).Line})
	}
	return found
}
