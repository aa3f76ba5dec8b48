package kustomize

import (
	"fmt"
	"path"
	"regexp"
	"strings"

	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/reconcile/kustomize/value"
	"vigil/engine/reconcile/load"
)

// node is one kustomization of the plan.
type node struct {
	at         int // its number
	dir, file  string
	spec       spec
	root       document.Node
	items      []item // resources, in order
	components []*node
	patches    []prepared
	open       bool // it is on the way from the top to here
	size       size
}

// item is one of the two things that a resource is.
type item struct {
	source *source
	base   *node
}

// size is what a kustomization amounts to, bases included as often as reached.
type size struct {
	known  bool
	visits int // kustomizations
	docs   int
}

func (n *node) component() bool { return n.spec.Kind == componentKind }

// source is one document as it was written.
type source struct {
	doc  document.Document
	json []byte // its spec, with the files that it names made whole
	size int64  // what it costs the library
}

// planner walks the kustomizations from one folder on.
type planner struct {
	tree    load.Tree
	byDir   map[string]*node
	nodes   []*node
	shallow bool  // folders alone
	pairs   int   // documents held against targets so far
	steps   int64 // that their expressions take for it
	weight  int   // of the expressions
	over    bool  // a bound was named; those above it would name it again
	issues  fault.Issues
}

func (p *planner) full() bool { return len(p.issues) >= maxIssues }

func (p *planner) add(place, hint, format string, args ...any) {
	if !p.full() {
		p.issues = append(p.issues, fault.Issue{Place: place, Msg: fmt.Sprintf(format, args...), Hint: hint})
	}
}

// visit plans one folder, once however often it is reached. place is where it is
// named; component says as what.
func (p *planner) visit(dir, place string, depth int, component bool) *node {
	if n := p.byDir[dir]; n != nil {
		switch {
		case n.open:
			p.add(place, "a base may not lead back to the folder that names it", "%s goes in a circle", shown(dir))
			return nil
		case n.component() != component:
			p.add(place, "", "%s", wrongKind(n, component))
			return nil
		}
		return n
	}
	file, ok := p.tree.Kustomization(dir)
	switch {
	case !ok:
		p.add(place, "add one, or name its files", "the folder %s has no kustomization.yaml", shown(dir))
		return nil
	case depth > maxDepth:
		p.add(place, "", "bases are nested deeper than %d", maxDepth)
		return nil
	case len(p.nodes) >= maxFolders:
		if !p.full() {
			p.add(place, "", "more than %d folders in one kustomization", maxFolders)
		}
		return nil
	}
	n := &node{at: len(p.nodes), dir: dir, file: file, open: true}
	defer func() { n.open = false }()
	p.byDir[dir] = n
	p.nodes = append(p.nodes, n)
	for _, k := range load.Kustomizations() {
		if other := path.Join(dir, k); other != file {
			if _, ok := p.tree.Source(other); ok {
				p.add(other, "keep one of them", "%s is a kustomization of the same folder", file)
			}
		}
	}
	data, _ := p.tree.Source(file)
	s, root, issues := read(file, data)
	for _, i := range issues {
		p.add(i.Place, i.Hint, "%s", i.Msg)
	}
	n.spec, n.root = s, root
	if len(issues) > 0 && !p.shallow {
		return nil
	}
	if n.component() != component {
		p.add(place, "", "%s", wrongKind(n, component))
	}
	p.list(n, "resources", s.Resources, depth)
	p.list(n, "bases", s.Bases, depth)
	for i, r := range s.Components {
		at := root.Place("components", fmt.Sprint(i))
		if base, is := p.locate(n, at, r); is == folder {
			if c := p.visit(base, at, depth+1, true); c != nil {
				n.components = append(n.components, c)
			}
		} else if is == single {
			p.add(at, "name its folder", "a component is a folder, and %s is a file", base)
		}
	}
	if !p.shallow {
		p.prepare(n)
	}
	return n
}

func wrongKind(n *node, component bool) string {
	if component {
		return n.file + " is no Component: name its folder in resources"
	}
	return n.file + " is a Component: name its folder in components"
}

// list plans what stands under resources.
func (p *planner) list(n *node, field string, items []string, depth int) {
	for i, r := range items {
		at := n.root.Place(field, fmt.Sprint(i))
		found, is := p.locate(n, at, r)
		switch {
		case is == folder:
			if b := p.visit(found, at, depth+1, false); b != nil {
				n.items = append(n.items, item{base: b})
			}
		case is == single && !p.shallow:
			p.documents(n, found)
		}
	}
}

// what a path leads to.
const (
	nothing = iota
	single  // a file
	folder
)

var (
	remote = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*::|://|^[^/]*@[^/]*:|[?]ref=|^[A-Za-z0-9.-]+:[^/]`)
	host   = regexp.MustCompile(`^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}/`)
)

// locate finds a path of a kustomization in the tree. What it does not find is an
// issue: nothing is ever looked for elsewhere.
func (p *planner) locate(n *node, place, name string) (found string, is int) {
	const alone = "copy it into the tree: documents come from the revision alone"
	whole := path.Join("/", n.dir, name)
	outside := strings.HasPrefix(path.Join(n.dir, name)+"/", "../")
	found = whole[1:]
	_, file := p.tree.Source(found)
	dir := p.tree.Folder(found)
	switch {
	case remote.MatchString(name):
		p.add(place, alone, "%s is fetched from elsewhere", cut(name))
	case name == "" || strings.HasPrefix(name, "/") || strings.HasPrefix(name, "~") || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == '\\' || r == 0x7f }):
		p.add(place, "write it from the folder of the kustomization on", "%q is no path within the tree", cut(name))
	case outside:
		p.add(place, alone, "%s lies outside the tree", cut(name))
	case file && n.dir != "" && !strings.HasPrefix(found, n.dir+"/"):
		p.add(place, "give its folder a kustomization and name the folder", "%s lies outside the folder of this kustomization", found)
	case file:
		return found, single
	case dir && (found == "" || found == n.dir || strings.HasPrefix(n.dir, found+"/")):
		p.add(place, "a base may not lead back to the folder that names it", "%s goes in a circle: it holds this kustomization", shown(found))
	case dir:
		return found, folder
	case host.MatchString(name):
		p.add(place, alone, "%s is fetched from elsewhere", cut(name))
	default:
		p.add(place, "", "there is no %s in the tree", cut(found))
	}
	return "", nothing
}

// documents reads a file of documents that a kustomization names.
func (p *planner) documents(n *node, file string) {
	data, _ := p.tree.Source(file)
	docs, issues := document.Parse(file, data, document.Git)
	for _, i := range issues {
		p.add(i.Place, i.Hint, "%s", i.Msg)
	}
	for _, d := range docs {
		if d.Flat {
			p.add(d.Place, "write it as a document with kind: Policy", "a policy in the short form cannot be part of a kustomization")
			continue
		}
		json, size, issues := value.Spec(d.Spec, path.Dir(file), d.Kind)
		for _, i := range issues {
			p.add(i.Place, i.Hint, "%s", i.Msg)
		}
		n.items = append(n.items, item{source: &source{doc: d, json: json, size: size}})
	}
}

// measure counts what a kustomization amounts to, before it is written out.
func (p *planner) measure(n *node) {
	if n.size.known {
		return
	}
	z := size{known: true, visits: 1}
	take := func(sub *node) {
		p.measure(sub)
		z.visits = min(z.visits+sub.size.visits, maxVisits+1)
		z.docs = min(z.docs+sub.size.docs, maxDocuments+1)
	}
	for _, it := range n.items {
		if it.base != nil {
			take(it.base)
		} else {
			z.docs = min(z.docs+1, maxDocuments+1)
		}
	}
	for _, c := range n.components {
		take(c)
	}
	switch {
	case p.over: // named below, and true of all that is above
	case z.visits > maxVisits:
		p.over = true
		p.add(n.file, "name each base once", "bases are reached more than %d times", maxVisits)
	case z.docs > maxDocuments:
		p.over = true
		p.add(n.file, "split it", "more than %d documents in one kustomization", maxDocuments)
	}
	n.size = z
}

func shown(dir string) string {
	if dir == "" {
		return "the root of the tree"
	}
	return cut(dir)
}

// cut keeps a message readable whatever somebody wrote.
func cut(s string) string {
	if r := []rune(s); len(r) > 120 {
		return string(r[:120]) + "..."
	}
	return s
}
