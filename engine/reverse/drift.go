package reverse

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"path"
	"slices"
	"strings"

	"vigil/engine"
	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/reconcile"
	"vigil/engine/reconcile/accept"
	"vigil/engine/reconcile/load"
	"vigil/engine/reconcile/manifest"
)

// resource is a thing of the applied commit, with its document.
type resource struct {
	commit string
	files  []load.File
	set    *reconcile.Set
	item   *reconcile.Item
	doc    document.Document
	file   string // of the tree, that the document stands in
}

// find reads the applied commit and finds a thing and its document in it.
func (r *Reverse) find(ctx context.Context, ref string) (*resource, error) {
	x := &resource{commit: r.deps.Desired.State().Applied}
	if x.commit == "" {
		return nil, fault.New(fault.Conflict, "no commit was applied yet")
	}
	var err error
	if x.files, err = r.deps.Repository.Files(ctx, x.commit); err != nil {
		return nil, err
	}
	if x.set, err = r.deps.Repository.Read(x.files); err != nil {
		return nil, err
	}
	if x.item = x.set.Find(ref); x.item == nil {
		return nil, fault.New(fault.NotFound, "no document speaks of %s", ref).Mend("vigild drift lists what differs")
	}
	x.file, _, _ = strings.Cut(x.item.Place, ":")
	text, ok := x.text(x.file)
	if !ok {
		return nil, fault.New(fault.Unprocessable, "%s is made by a kustomization and stands in no file as it is", ref).At(x.item.Place).Mend("change its parts by hand")
	}
	docs, is := document.Parse(x.file, text, document.Git)
	if err := is.Err(); err != nil {
		return nil, err
	}
	i := slices.IndexFunc(docs, func(d document.Document) bool { return d.Place == x.item.Place })
	if i < 0 {
		return nil, fault.New(fault.Internal, "%s is not where it was read", ref).At(x.item.Place)
	}
	x.doc = docs[i]
	return x, nil
}

func (x *resource) text(name string) ([]byte, bool) {
	i := slices.IndexFunc(x.files, func(f load.File) bool { return f.Path == name })
	if i < 0 {
		return nil, false
	}
	return x.files[i].Data, true
}

// differs looks at a thing and names what differs, whatever its mode.
func differs(ctx context.Context, it *reconcile.Item, w reconcile.World) (reconcile.Observed, []reconcile.Difference, error) {
	seen, err := it.Observe(ctx, w)
	if err != nil {
		return seen, nil, err
	}
	return seen, it.Ignore.Without(it.Compare(nil, seen)), nil
}

// CommitDrift makes a commit upon the applied one in which the document says what
// was found, on a branch of its own.
func (r *Reverse) CommitDrift(ctx context.Context, actor string, in engine.DriftRequest) (out engine.DriftCommit, err error) {
	x, err := r.find(ctx, in.Ref)
	if err != nil {
		return out, err
	}
	_, diffs, err := differs(ctx, x.item, r.deps.World)
	if err != nil {
		return out, err
	}
	if len(diffs) == 0 {
		return out, fault.New(fault.Conflict, "%s stands as its document says", in.Ref)
	}
	acc, err := accept.Accept(x.doc, diffs, func(p string) ([]byte, error) { return r.found(ctx, p) })
	if err != nil {
		return out, err
	}
	if !in.Secrets {
		if err := guarded(diffs, acc); err != nil {
			return out, err
		}
	}
	changed, err := r.changes(ctx, x, acc, in.Secrets)
	if err != nil {
		return out, err
	}
	if err := r.prove(ctx, x, changed, acc.Fields); err != nil {
		return out, err
	}
	w := Write{Branch: branch(x.item.Key()), Parent: x.commit, Files: changed, Author: "vigild on " + r.cfg.Host, At: r.deps.Clock(),
		Message: r.message(actor, in, x, diffs, acc)}
	out = engine.DriftCommit{Ref: in.Ref, Branch: w.Branch, Parent: x.commit, Fields: acc.Fields, Left: acc.Left}
	if out.Commit, err = r.deps.Repository.Write(ctx, w); err != nil {
		return out, err
	}
	for _, f := range changed {
		out.Changed = append(out.Changed, f.Path)
	}
	return out, r.record(ctx, actor, "drift.commit", "resource:"+in.Ref, strings.TrimSpace("commit "+out.Commit+" on "+w.Branch+": "+in.Reason))
}

// found is the bytes of a file of the machine that are to go into a commit.
func (r *Reverse) found(ctx context.Context, p string) ([]byte, error) {
	f, err := r.deps.World.File(ctx, p, reconcile.LookContent)
	if err != nil {
		return nil, err
	}
	if f.Type != "file" {
		return nil, fault.New(fault.Conflict, "%s is no file any more", p).Mend("try again")
	}
	return f.Content, nil
}

// guarded refuses what looks like a secret, and what of a file is not told of to
// everybody.
func guarded(diffs []reconcile.Difference, acc *accept.Acceptance) error {
	for _, d := range diffs {
		if d.Found == reconcile.Hidden && slices.Contains(acc.Fields, d.Field) {
			return fault.New(fault.Unprocessable, "%s stands in a file that not everybody may read, and everybody could who may fetch the repository", d.Field).
				Mend("seal it with age and change the document by hand, or say --allow-secrets")
		}
	}
	for _, s := range acc.Sets {
		text := s.Value
		if s.Whole != nil {
			text = fmt.Sprint(s.Whole)
		}
		if why := cmp.Or(manifest.Secretive([]byte(text)), manifest.Secretive([]byte(s.Path[len(s.Path)-1]+" = "+text))); s.From != "" && why != "" {
			return secret(s.From, why)
		}
	}
	return nil
}

func secret(p, why string) error {
	return fault.New(fault.Unprocessable, "%s holds %s, which everybody could read who may fetch the repository", p, why).
		Mend("seal it with age and change the document by hand, or say --allow-secrets")
}

// changes are the files of the tree that change.
func (r *Reverse) changes(ctx context.Context, x *resource, acc *accept.Acceptance, secrets bool) (out []manifest.File, err error) {
	for _, s := range acc.Sources {
		if other := x.sharer(s.InTree); other != "" {
			return nil, fault.New(fault.Conflict, "%s is the source of %s too, which would change with it", s.InTree, other).Mend("give one of the two a file of its own")
		}
		data := s.Part
		if data == nil {
			if data, err = r.found(ctx, s.Path); err != nil {
				return nil, err
			}
		}
		if why := manifest.Secretive(data); why != "" && !secrets {
			return nil, secret(s.Path, why)
		}
		out = append(out, manifest.File{Path: s.InTree, Data: data})
	}
	if len(acc.Sets) > 0 {
		text, _ := x.text(x.file)
		if text, err = manifest.Edit(x.file, text, x.doc.Place, acc.Sets); err != nil {
			return nil, err
		}
		out = append(out, manifest.File{Path: x.file, Data: text})
	}
	return out, nil
}

// sharer is another document that names a file of the tree as its source, of this
// host or of any other.
func (x *resource) sharer(inTree string) string {
	for _, f := range x.files {
		if !slices.Contains([]string{".yaml", ".yml", ".json"}, path.Ext(f.Path)) || !bytes.Contains(f.Data, []byte(path.Base(inTree))) {
			continue
		}
		docs, _ := document.Parse(f.Path, f.Data, document.Git)
		for _, d := range docs {
			src := d.Spec.Get("source").Text()
			if src != "" && d.Place != x.doc.Place && accept.SourcePath(d.Place, src) == inTree {
				return d.Kind + "/" + d.Name
			}
		}
	}
	return ""
}

// prove loads what the commit would be and compares it with the machine: what was
// accepted must be gone.
func (r *Reverse) prove(ctx context.Context, x *resource, changed []manifest.File, fields []string) error {
	files := slices.Clone(x.files)
	for _, c := range changed {
		i := slices.IndexFunc(files, func(f load.File) bool { return f.Path == c.Path })
		if i < 0 {
			return fault.New(fault.Unprocessable, "there is no file %s in the tree", c.Path)
		}
		files[i] = load.File(c)
	}
	set, err := r.deps.Repository.Read(files)
	if err != nil {
		return fault.Wrap(fault.Unprocessable, err, "what was found cannot stand in a document")
	}
	it := set.Find(x.item.Key().Ref())
	if it == nil {
		return fault.New(fault.Unprocessable, "%s would be gone from the documents", x.item.Key().Ref())
	}
	_, diffs, err := differs(ctx, it, r.deps.World)
	if err != nil {
		return err
	}
	for _, d := range diffs {
		if slices.Contains(fields, d.Field) {
			return fault.New(fault.Conflict, "%s of %s changes while it is looked at", d.Field, it.Key().Ref()).Mend("try again")
		}
	}
	return nil
}

// message says what the commit accepts, and who asked.
func (r *Reverse) message(actor string, in engine.DriftRequest, x *resource, diffs []reconcile.Difference, acc *accept.Acceptance) string {
	var b strings.Builder
	fmt.Fprintf(&b, "drift: %s as it stands on %s\n\nAsked for by %s", line(in.Ref), line(r.cfg.Host), line(actor))
	if in.Reason != "" {
		fmt.Fprintf(&b, ": %s", line(in.Reason))
	}
	b.WriteString("\n\n")
	for _, d := range diffs {
		if slices.Contains(acc.Fields, d.Field) {
			fmt.Fprintf(&b, "- %s: wanted %s, found %s\n", line(d.Field), line(d.Wanted), line(d.Found))
		}
	}
	for _, l := range acc.Left {
		fmt.Fprintf(&b, "- left: %s\n", line(l))
	}
	if own := "hosts/" + r.cfg.Host + "/"; !strings.HasPrefix(x.file, own) {
		fmt.Fprintf(&b, "\n%s is read by other hosts too.\n", x.file)
	}
	return b.String()
}

// line is a text on one line of a message.
func line(s string) string {
	if s == "" {
		return "nothing"
	}
	s = strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return ' '
		}
		return c
	}, s)
	if r := []rune(s); len(r) > 200 {
		s = string(r[:200]) + "..."
	}
	return s
}

// branch is where the drift of a thing goes. A name that has to be changed for it
// gets a sum, so that two never share one.
func branch(k reconcile.Key) string {
	name := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("_.+@=", c) {
			return c
		}
		return '-'
	}, k.Name)
	for strings.Contains(name, "..") {
		name = strings.ReplaceAll(name, "..", ".-")
	}
	name = strings.Trim(name, ".-@")
	if len(name) > 100 {
		name = strings.TrimRight(name[:100], ".-@")
	}
	if strings.HasSuffix(strings.ToLower(name), ".lock") {
		name += "-"
	}
	if name != k.Name {
		h := fnv.New32a()
		_, _ = h.Write([]byte(k.Name))
		name = fmt.Sprintf("%s-%08x", name, h.Sum32())
	}
	return "drift/" + strings.ToLower(k.Kind) + "-" + strings.TrimLeft(name, "-")
}
