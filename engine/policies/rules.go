package policies

import (
	"encoding/json"
	"fmt"
	"slices"

	"vigil/engine"
	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/policy"
	"vigil/engine/shard"
)

// mayChange holds the rule that only its owner changes a policy.
func mayChange(old shard.Policy, exists bool, name string, owner document.Owner, place string) error {
	if !exists || old.Owner == owner {
		return nil
	}
	at, was := string(owner), string(old.Owner)
	if place != "" {
		at += " (" + place + ")"
	}
	if old.Place != "" {
		was += " (" + old.Place + ")"
	}
	return fault.New(fault.Conflict, "Policy '%s' belongs to %s and cannot be changed by %s", name, was, at).
		Mend("change it where it is written, or give yours another name")
}

// maxUnnamed bounds the selectors that name no metric: each of them is compared
// with every series that comes.
const maxUnnamed = 50

// unnamed counts the selectors of a condition that name no metric.
func unnamed(c *policy.Condition) (n int) {
	if c == nil {
		return 0
	}
	for _, src := range c.Sources {
		if src.Selector.Name() == "" {
			n++
		}
	}
	return n
}

// crowd says that a policy would have too many selectors without a name, nil if
// it would not; one that has them already may be put again.
func (c *change) crowd(doc engine.PolicyDocument, cond *policy.Condition) fault.Issues {
	if unnamed(cond) == 0 {
		return nil
	}
	n := unnamed(cond)
	c.k.states.Each(func(p shard.Policy) {
		if _, again := c.find(p.Doc.Name); p.Doc.Name != doc.Name && !again {
			n += unnamed(p.Cond)
		}
	})
	for _, p := range c.Put {
		n += unnamed(p.Cond)
	}
	if n <= maxUnnamed {
		return nil
	}
	return fault.Issues{{Place: "/match", Msg: fmt.Sprintf("this would be the %dth selector without a metric name; at most %d are taken", n, maxUnnamed),
		Hint: "name the metric"}}
}

// find finds a policy as it would be after the change.
func (c *change) find(name string) (shard.Policy, bool) {
	for _, p := range c.Put {
		if p.Doc.Name == name {
			return p, true
		}
	}
	return shard.Policy{}, false
}

// lookup is find, else the policy as it is.
func (c *change) lookup(name string) (shard.Policy, bool) {
	if p, ok := c.find(name); ok || slices.Contains(c.Drop, name) {
		return p, ok
	}
	return c.k.states.Lookup(name)
}

// loop refuses a policy that would depend on itself through others, as they are
// after the change: policies in a circle would hold each other for ever.
func (c *change) loop(doc engine.PolicyDocument) fault.Issues {
	seen := map[string]bool{}
	var walk func([]string) string
	walk = func(names []string) string {
		for _, n := range names {
			p, ok := c.lookup(n)
			if !ok || seen[n] {
				continue
			}
			seen[n] = true
			if slices.Contains(p.Doc.DependsOn, doc.Name) {
				return n
			}
			if via := walk(p.Doc.DependsOn); via != "" {
				return via
			}
		}
		return ""
	}
	if via := walk(doc.DependsOn); via != "" {
		return fault.Issues{{Place: "/depends_on", Msg: "policy " + doc.Name + " depends on itself through " + via}}
	}
	return nil
}

func sameJSON(a, b any) bool {
	x, errx := json.Marshal(a)
	y, erry := json.Marshal(b)
	return errx == nil && erry == nil && string(x) == string(y)
}
