package reverse

import (
	"context"
	"strings"
	"unicode/utf8"

	"vigil/engine"
	"vigil/engine/fault"
	"vigil/engine/reconcile"
	"vigil/engine/reconcile/accept"
)

// maxShown is how many bytes of a file are shown.
const maxShown = 256 << 10

// Contents tells what stands in the files that a thing would write, and what
// should. What is sealed is not shown, neither side: what stands there was secret
// once.
func (r *Reverse) Contents(ctx context.Context, ref string) ([]engine.Contents, error) {
	x, err := r.find(ctx, ref)
	if err != nil {
		return nil, err
	}
	seen, diffs, err := differs(ctx, x.item, r.deps.World)
	if err != nil {
		return nil, err
	}
	out := []engine.Contents{}
	for _, s := range x.item.Heal(seen, diffs) {
		p, _ := s.With["path"].(string)
		gone := s.With["absent"] == true
		if s.Action != "file" || p == "" || s.Content == nil && !gone {
			continue
		}
		c := engine.Contents{Path: p}
		if accept.Sealed(x.doc) {
			c.Note = "it is sealed and not shown"
			out = append(out, c)
			continue
		}
		f, err := r.deps.World.File(ctx, p, reconcile.LookContent)
		switch {
		case fault.KindOf(err) == fault.TooLarge:
			c.Note = "what is there is too long to be shown"
		case err != nil:
			return nil, err
		case f.Type != "" && f.Type != "file":
			c.Note = "a " + f.Type + " stands there"
		case !text(f.Content) || !text(s.Content):
			c.Note = "its bytes are no text"
		case len(f.Content) > maxShown || len(s.Content) > maxShown:
			c.Note = "it is too long to be shown"
		default:
			c.Found, c.Wanted = string(f.Content), string(s.Content)
		}
		out = append(out, c)
	}
	return out, nil
}

func text(b []byte) bool { return utf8.Valid(b) && !strings.ContainsRune(string(b), 0) }
