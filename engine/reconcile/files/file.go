package files

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/reconcile"
	"vigil/engine/reconcile/part"
	"vigil/engine/reconcile/site"
)

// fileSpec is a document of kind File.
type fileSpec struct {
	reconcile.Common `yaml:",inline"`
	attributes       `yaml:",inline"`
	Path             string         `yaml:"path"`
	Match            string         `yaml:"match"`   // exact (default), block, lines, json, yaml, toml, ini
	Content          document.Node  `yaml:"content"` // for exact and block; text or {age: ...}
	Secret           document.Node  `yaml:"secret"`  // as content, and plain text is refused
	Source           string         `yaml:"source"`  // as content: a file of the tree
	Block            string         `yaml:"block"`   // name of the block; the document's by default
	Comment          string         `yaml:"comment"` // sign before the markers of a block, # by default
	Lines            []string       `yaml:"lines"`
	Values           map[string]any `yaml:"values"`
	Validate         []string       `yaml:"validate"` // argv; {} is the new file
}

// file is a file, or a managed part of one.
type file struct {
	key      reconcile.Key
	path     string
	attr     attributes
	content  []byte // exact alone
	sum      string
	part     *part.Part
	validate string // JSON of the argv
	absent   bool
	old      bool // an orphan: only what bears our hand is taken away
	sealed   bool // its content was opened here: not even its sum is told
}

// File reads a document of this kind.
func File(s *site.Site) site.Resource {
	v := fileSpec{Common: s.Common}
	s.Decode(&v)
	s.Common = v.Common
	f := &file{path: s.Path("path", v.Path), absent: v.Mode == reconcile.Absent}
	f.key = reconcile.Key{Kind: s.Doc.Kind, Name: s.Doc.Name, Subject: "file:" + v.Path}
	v.check(s)
	f.attr = v.attributes
	given := 0
	for _, is := range []bool{!v.Content.Absent(), !v.Secret.Absent(), v.Source != ""} {
		if is {
			given++
		}
	}
	match := s.OneOf("match", v.Match, "exact", "block", "lines", "json", "yaml", "toml", "ini")
	takes := match == "exact" || match == "block"
	switch {
	case given > 1:
		s.Bad("path", "content, secret and source exclude each other")
	case given == 0 && takes && !f.absent:
		s.Bad("path", "one of content, secret and source says what is in the file")
	case given > 0 && !takes:
		s.Bad("match", "match: %s takes no content", match)
	}
	if len(v.Lines) > 0 && match != "lines" {
		s.Bad("lines", "lines need match: lines")
	}
	if len(v.Values) > 0 && (takes || match == "lines") {
		s.Bad("values", "values need match: json, yaml, toml or ini")
	}
	content := []byte(s.Text("content", v.Content, false) + s.Text("secret", v.Secret, true))
	if v.Source != "" {
		content = s.FromTree("source", v.Source)
	}
	f.sealed = s.Sealed
	if s.Sealed && match == "exact" && !f.absent && f.attr.Permissions == "" {
		f.attr.Permissions = "0600" // what nobody may read in the repository is not for everybody on the host
	}
	f.set(s, match, v, content)
	if len(v.Validate) > 0 {
		s.AsCommand("validate", strings.Join(v.Validate, " "))
		b, _ := json.Marshal(v.Validate)
		f.validate = string(b)
	}
	return f
}

// set takes the content or the managed part.
func (f *file) set(s *site.Site, match string, v fileSpec, content []byte) {
	var p part.Part
	var err error
	switch match {
	case "exact":
		f.content, f.sum = content, site.Sum(content)
		return
	case "block":
		name, mark := v.Block, v.Comment
		if name == "" {
			name = s.Doc.Name
		}
		if mark == "" {
			mark = "#"
		}
		p, err = part.Block(name, mark, string(content))
	case "lines":
		p, err = part.Lines(v.Lines)
	default:
		p, err = part.Keys(match, v.Values)
	}
	if err != nil {
		s.Bad("match", "%v", err)
		return
	}
	kept := 0
	for field, v := range short(p.Want()) {
		kept += len(field) + len(v)
	}
	if kept > maxKept {
		s.Bad("match", "the names and values of this part have %d bytes, at most %d are kept: write the file whole, or in several documents", kept, maxKept)
	}
	f.part = &p
	f.key.Subject += "#" + s.Doc.Name
}

// What is remembered of a part, and told of it, has to fit into a record,
// whatever somebody writes into the file.
const (
	maxKept = 256 << 10
	maxShow = 200
)

// short keeps the sum of a long value in place of the value: it is compared just
// as well.
func short(values map[string]string) map[string]string {
	out := make(map[string]string, len(values))
	for field, v := range values {
		if len(v) > maxShow {
			v = fmt.Sprintf("%d bytes, sha256 %s", len(v), site.Sum([]byte(v)))
		}
		out[field] = v
	}
	return out
}

func (f *file) Key() reconcile.Key { return f.key }

func (f *file) Wants() any {
	return []any{f.key, f.desired(), f.validate, f.absent}
}

func (f *file) Claims() []string {
	if f.part == nil {
		return []string{"file:" + f.path}
	}
	var out []string
	for field := range f.part.Want() {
		out = append(out, "file:"+f.path+"#"+field)
	}
	return out
}

func (f *file) desired() reconcile.State {
	st := reconcile.State{reconcile.Exists: site.Truth(!f.absent || f.part != nil)}
	if f.absent {
		return st
	}
	f.attr.into(st)
	if f.part != nil {
		maps.Copy(st, short(f.part.Want()))
	} else {
		st["sha256"] = f.sum
	}
	return st
}

func (f *file) Observe(ctx context.Context, w reconcile.World) (reconcile.Observed, error) {
	look := reconcile.LookHash
	switch {
	case f.part != nil:
		look = reconcile.LookContent
	case f.absent && !f.old:
		look = reconcile.LookMeta
	}
	got, err := w.File(ctx, f.path, look)
	if err != nil {
		return reconcile.Observed{}, err
	}
	st := reconcile.State{}
	switch got.Type {
	case "":
		st[reconcile.Exists] = reconcile.No
		return reconcile.Observed{State: st}, nil
	case "file":
		st[reconcile.Exists] = reconcile.Yes
	default:
		st[reconcile.Exists] = got.Type
		return reconcile.Observed{State: st}, nil
	}
	f.attr.seen(got, st)
	if f.part == nil {
		if look == reconcile.LookHash {
			st["sha256"] = got.SHA256
		}
		return reconcile.Observed{State: st}, nil
	}
	closed := got.Mode&0o004 == 0
	part, err := f.part.Read(got.Content)
	if err != nil && f.closed(closed) { // what is wrong is told with the words of the file
		return reconcile.Observed{}, fault.New(fault.Conflict, "%s: a part of it cannot be managed: it is no file of the form that match names", f.path).
			Mend("more is not told, since the file is not for everybody")
	}
	if err != nil {
		return reconcile.Observed{}, fault.Wrap(fault.Conflict, err, "%s: a part of it cannot be managed", f.path)
	}
	maps.Copy(st, short(part))
	return reconcile.Observed{State: st, Content: got.Content, Closed: closed}, nil
}

func (f *file) Compare(last reconcile.State, seen reconcile.Observed) []reconcile.Difference {
	switch {
	case f.part != nil:
		return f.hidden(seen, f.parted(last, seen.State))
	case !f.absent:
		return f.hidden(seen, reconcile.Diff(f.desired(), last, seen.State))
	case f.old && (last["sha256"] == "" || seen.State["sha256"] != last["sha256"]):
		return nil // somebody made it their own, or nobody knows (its content was left to others): it is not ours to take away
	}
	return reconcile.Diff(f.desired(), last, seen.State)
}

func (f *file) parted(last, seen reconcile.State) []reconcile.Difference {
	if f.absent {
		return f.left(seen)
	}
	return reconcile.Diff(f.desired(), last, seen)
}

// closed says whether what is in the file, which stands open or closed, is not for
// everybody.
func (f *file) closed(stands bool) bool {
	mode, err := strconv.ParseUint(f.attr.Permissions, 8, 16)
	return stands || f.sealed || err == nil && mode&0o004 == 0
}

// hidden leaves out what stands, or should stand, under a key of a file that is
// not for everybody, and what a line of it says: that is called by its number. The
// sum of a block and the fact that a line is there stay.
func (f *file) hidden(seen reconcile.Observed, ds []reconcile.Difference) []reconcile.Difference {
	if !f.closed(seen.Closed) {
		return ds
	}
	hide := func(v *string) {
		if *v != "" {
			*v = reconcile.Hidden
		}
	}
	for i, d := range ds {
		switch format, _, key := strings.Cut(d.Field, ":"); {
		case key && format == "line":
			ds[i].Field, ds[i].Of = fmt.Sprintf("line#%d", f.part.Line(d.Field)), d.Field
		case f.sealed && (d.Field == "sha256" || format == "block"), // whoever has the sum of a short secret can guess it
			key && format != "block":
			hide(&ds[i].Wanted)
			hide(&ds[i].Found)
		}
	}
	return ds
}

// left is what is still there of a part that should be gone.
func (f *file) left(seen reconcile.State) (out []reconcile.Difference) {
	for _, field := range slices.Sorted(maps.Keys(f.part.Want())) {
		if v, ok := seen[field]; ok {
			out = append(out, reconcile.Difference{Field: field, Found: v, Class: reconcile.Pending})
		}
	}
	return out
}

func (f *file) Heal(seen reconcile.Observed, diffs []reconcile.Difference) []reconcile.Step {
	if len(diffs) == 0 {
		return nil
	}
	with := map[string]any{"path": f.path}
	final := ""
	switch seen.State[reconcile.Exists] {
	case "", reconcile.Yes, reconcile.No, "link": // a link is put back as it was
	case "directory":
		final = "what stands there now is a folder"
	default:
		final = "what stands there now is neither a file nor a link"
	}
	if f.absent && f.part == nil {
		with["absent"] = true
		if f.attr.Owner != "" {
			with["owner"] = f.attr.Owner // in whose folder it may be
		}
		return []reconcile.Step{{Action: "file", With: with, Summary: "remove " + f.path, Final: final}}
	}
	content, fields, whole := f.content, []string{}, false
	for _, d := range diffs {
		fields = append(fields, d.Property())
		whole = whole || d.Field == reconcile.Exists
	}
	st := reconcile.Step{Action: "file", With: with, Summary: "write " + f.path, Final: final}
	if f.part != nil {
		if whole {
			fields = slices.Collect(maps.Keys(f.part.Want()))
		}
		var err error
		if content, err = f.part.Edit(seen.Content, fields, f.absent); err != nil {
			return nil // cannot be: Observe has read the very same bytes
		}
		with["was"] = "absent"
		if seen.State[reconcile.Exists] == reconcile.Yes {
			with["was"] = site.Sum(seen.Content) // whoever changed it meanwhile wins; the next round looks again
		}
		st.Summary = "write a part of " + f.path
	}
	if whole {
		f.attr.with(with)
	} else {
		for name, v := range f.attr.with(map[string]any{}) {
			if slices.Contains(fields, name) {
				with[name] = v
			}
		}
	}
	if f.part != nil || whole || slices.Contains(fields, "sha256") {
		if content == nil {
			content = []byte{} // an empty file is content too
		}
		st.Content, with["sha256"] = content, site.Sum(content)
		if f.validate != "" {
			with["validate"] = f.validate
			if f.sealed {
				with["closed"] = true
			}
		}
	} else {
		st.Summary = "set permissions and owner of " + f.path
	}
	return []reconcile.Step{st}
}

// RetireFile takes away a file that is still as it was written, or the part of
// one.
func RetireFile(key reconcile.Key, last reconcile.State) reconcile.Resource {
	p, _, _ := strings.Cut(strings.TrimPrefix(key.Subject, "file:"), "#")
	f := &file{key: key, path: p, absent: true, old: true, attr: attributes{Owner: last["owner"]}}
	if old, ok := part.Old(last.Fields()); ok {
		f.part = &old
	}
	return f
}
