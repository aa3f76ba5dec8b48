package vigiltest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
)

// wanted is one commit of the campaign: what a host looks like that follows it,
// and what has to become of it.
type wanted struct {
	hash   string
	fate   fate
	host   map[string]string // as field.host tells it
	kept   map[string]string // process -> how it is
	own    own               // what it says of vigild itself
	shaken bool              // somebody changed files by hand while it was being applied
}

// fate is what has to become of a commit.
type fate string

const (
	good    fate = "good"
	fails   fate = "fails"   // a step of it cannot be done
	sick    fate = "sick"    // it is applied, and is not healthy
	refused fate = "refused" // its documents are wrong: it never lands
)

// whole is a text that says of itself whether all of it is there.
func whole(text string) string {
	sum := sha256.Sum256([]byte(text))
	return text + "end " + hex.EncodeToString(sum[:]) + "\n"
}

// torn says that a file is neither a whole text nor a person's.
func torn(text string) bool {
	if strings.Contains(text, byHand) {
		return false
	}
	head, tail, ok := strings.Cut(text, "end ")
	sum := sha256.Sum256([]byte(head))
	return !ok || strings.TrimSpace(tail) != hex.EncodeToString(sum[:])
}

// byHand marks what a person wrote into a managed file.
const byHand = "by hand\n"

// compose draws a commit: its files as a txtar archive, and what it wants.
func compose(r *rand.Rand, n int) (archive string, w *wanted) {
	w = &wanted{fate: good, host: map[string]string{}, kept: map[string]string{}}
	switch r.IntN(12) {
	case 0, 1:
		w.fate = fails
	case 2:
		w.fate = sick
	case 3:
		w.fate = refused
	}
	var docs []string
	pace := "  heal: {backoff: 10ms, maxAttempts: 1000, quietReset: 1s}\n"
	file := func(name, more string) {
		text := fmt.Sprintf("%s of revision %d\n", name, n)
		for range r.IntN(60) {
			text += fmt.Sprintf("%x\n", r.Uint64())
		}
		text = whole(text)
		mode := []string{"0644", "0600", "0640"}[r.IntN(3)]
		doc := fmt.Sprintf("apiVersion: vigil/v1\nkind: File\nmetadata: {name: %s}\nspec:\n  path: %%MANAGED%%/%s\n  permissions: %q\n%s%s  content: |\n",
			strings.ReplaceAll(name, "/", "-"), name, mode, pace, more)
		for line := range strings.Lines(text) {
			doc += "    " + line
		}
		docs = append(docs, doc)
		w.host[name] = fmt.Sprintf("file %s %s", mode, text)
	}
	file("always", "")
	for i := range 5 {
		if r.IntN(10) < 7 {
			more := ""
			if r.IntN(4) == 0 {
				more = "  validate: [/bin/grep, -q, end, \"{}\"]\n"
			}
			if r.IntN(3) == 0 {
				more += "  dependsOn: [File/always]\n"
			}
			file(fmt.Sprintf("f%d", i), more)
		}
	}
	for i := range 2 {
		if r.IntN(3) > 0 {
			name := fmt.Sprintf("d%d", i)
			mode := []string{"0755", "0700"}[r.IntN(2)]
			docs = append(docs, fmt.Sprintf("apiVersion: vigil/v1\nkind: Directory\nmetadata: {name: %s}\nspec:\n  path: %%MANAGED%%/%s\n  permissions: %q\n%s", name, name, mode, pace))
			w.host[name] = "folder " + mode
			if r.IntN(3) > 0 {
				file(name+"/in", "  dependsOn: [Directory/"+name+"]\n")
			}
		}
	}
	for _, name := range keptNames {
		if doc, how := process(r, name, n, pace); how != "" {
			docs = append(docs, doc)
			w.kept[name] = how
		}
	}
	switch w.fate {
	case fails: // when the others are done
		if r.IntN(2) == 0 {
			docs = append(docs, neverUp)
			break
		}
		file("wrong", "  dependsOn: [File/always]\n  validate: [/bin/grep, -q, never, \"{}\"]\n")
	case sick:
		file("sick", "  health: {expr: 'last(\"1m\", \"campaign_never\") == 1', timeout: 250ms}\n")
	case refused:
		docs = append(docs, "apiVersion: vigil/v1\nkind: File\nmetadata: {name: bad}\nspec: {path: /etc/passwd-no, content: x}\n")
	}
	docs = append(docs, w.own.draw(r, n)...)
	return "-- host.yaml --\n" + strings.Join(docs, "---\n"), w
}
