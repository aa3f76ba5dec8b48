package audit

import (
	"fmt"

	"vigil/engine/fault"
)

// Problem is what is wrong with a chain at one record.
type Problem string

// The problems, in the order in which they are looked for.
const (
	Repeated Problem = "repeated" // its number was already seen: a duplicate, or an old record moved here
	Gap      Problem = "gap"      // records before it are missing, or it stands too early
	Edited   Problem = "edited"   // its content does not give its hash
	Foreign  Problem = "foreign"  // whole in itself, but it does not follow the record before it
	Short    Problem = "short"    // the chain ends before its known head
	Unread   Problem = "unread"   // an exported line or a stored row is not a record
)

// Broken names the first record at which a chain is wrong.
type Broken struct {
	Seq     int64 // the number that was expected at the place of the fault
	Problem Problem
	Msg     string
}

func (b *Broken) Error() string {
	return fmt.Sprintf("audit record %d: %s (%s)", b.Seq, b.Msg, b.Problem)
}

// Verifier checks records one by one, in order. It is not safe for concurrent
// use; the zero Verifier is not usable, see NewVerifier and ResumeVerifier.
type Verifier struct {
	head   Head
	loose  bool // the first record says where the chain begins
	count  int64
	broken *Broken
}

// NewVerifier checks a chain that follows from: the zero Head for a whole
// chain, the stored head of what was pruned for the rest of one.
func NewVerifier(from Head) *Verifier { return &Verifier{head: from} }

// LooseVerifier checks a piece of a chain whose beginning is not known, such as
// an export from the middle. What stands before the piece remains unproven.
func LooseVerifier() *Verifier { return &Verifier{loose: true} }

// Next takes the next record. Its error is of kind Corrupt and wraps a *Broken;
// once broken, a Verifier gives the same answer for ever.
func (v *Verifier) Next(r Record) error {
	if v.broken == nil {
		v.broken = v.look(r)
	}
	if v.broken != nil {
		return fault.Wrap(fault.Corrupt, v.broken, "the audit chain is broken")
	}
	v.head = r.Head()
	v.count++
	return nil
}

func (v *Verifier) look(r Record) *Broken {
	if v.loose && v.count == 0 {
		v.head = Head{Seq: r.Seq - 1, Hash: r.Prev}
	}
	switch want := v.head.Seq + 1; {
	case r.Seq < want:
		return &Broken{want, Repeated, fmt.Sprintf("in its place stands record %d again: a duplicate, or one that was moved", r.Seq)}
	case r.Seq > want:
		return &Broken{want, Gap, fmt.Sprintf("is missing or was moved: in its place stands record %d", r.Seq)}
	}
	if Sum(r) != r.Hash {
		return &Broken{r.Seq, Edited, "its content does not give its hash: a field was changed"}
	}
	if r.Prev != v.head.Hash {
		return &Broken{r.Seq, Foreign, "does not follow the record before it: one of the two was inserted or replaced"}
	}
	return nil
}

// End says that no more records come. known is the head that the chain must
// have reached, where one is kept apart; the zero Head asks for nothing.
func (v *Verifier) End(known Head) error {
	if v.broken == nil && known != (Head{}) && known != v.head {
		v.broken = &Broken{v.head.Seq + 1, Short, fmt.Sprintf("the chain ends at %d, its known head is %d: the last records were cut off or replaced", v.head.Seq, known.Seq)}
	}
	if v.broken != nil {
		return fault.Wrap(fault.Corrupt, v.broken, "the audit chain is broken")
	}
	return nil
}

// Head is the last good record's.
func (v *Verifier) Head() Head { return v.head }

// Count is how many records were found good.
func (v *Verifier) Count() int64 { return v.count }
