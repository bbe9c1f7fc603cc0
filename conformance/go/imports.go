// Command imports asks Go's own packages about Go files, and needs nothing but the standard library.
//
//	imports           the imports of each file, as go/parser reads them
//	imports resolve   where each import leads in GOPATH mode, as go/build finds it (with GO111MODULE=off)
//
// Standard input: a file per line, or a folder, a tab and an import path. Standard output: a JSON object per line.
package main

import (
	"bufio"
	"encoding/json"
	"go/build"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
)

type spec struct {
	Path string
	Line int
}

// A found package, with the names that "go list -json" gives the same things.
type found struct {
	Dir            string
	Standard       bool
	GoFiles        []string
	CgoFiles       []string
	IgnoredGoFiles []string
	InvalidGoFiles []string
	TestGoFiles    []string
	ImportComment  string
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
		var found any
		if len(os.Args) > 1 && os.Args[1] == "resolve" {
			folder, path, _ := strings.Cut(lines.Text(), "\t")
			found = resolve(folder, path)
		} else {
			found = read(lines.Text())
		}
		if err := encoder.Encode(found); err != nil {
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

// resolve gives what of the package could be read: errors, such as files of several packages, are of no interest.
func resolve(folder, path string) found {
	read, _ := build.Import(path, folder, build.ImportComment)
	return found{
		Dir:            read.Dir,
		Standard:       read.Goroot,
		GoFiles:        read.GoFiles,
		CgoFiles:       read.CgoFiles,
		IgnoredGoFiles: read.IgnoredGoFiles,
		InvalidGoFiles: read.InvalidGoFiles,
		TestGoFiles:    read.TestGoFiles,
		ImportComment:  read.ImportComment,
	}
}
