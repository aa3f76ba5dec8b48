// Package lang is the expression language of policies: text in, flat code out.
//
// The expr library gives lexer, parser and syntax tree; the switch in compile.go
// over that tree is the allow-list, and what it does not name is refused with a
// position. Code is a list of nodes in the order of evaluation, equal parts
// shared, over float64 with three truth values: a node that is unknown holds
// NaN. What depends on labels alone is decided once, when a [Machine] is made.
//
// It refuses closures, ranges, string building, methods, windows that are not
// constants, and any text over 2 KiB, 64 brackets deep or 500 nodes, so that
// cost is linear and memory constant. It knows nothing of samples: the values of
// window calls are inputs. Pure; Code is immutable and shared, a Machine belongs
// to one goroutine.
package lang

import (
	"regexp"
	"time"

	"vigil/engine/series"
)

// The caps on one expression.
const (
	MaxSource   = 2 << 10
	maxBrackets = 64
	maxNodes    = 500
	maxDepth    = 256
	maxPattern  = 512
	// MaxWindow is the longest window, MinWindow the shortest.
	MaxWindow = 32 * 24 * time.Hour
	MinWindow = time.Millisecond
)

// Code is compiled expressions that share their nodes.
type Code struct {
	nodes []node
	Calls []Call
	Uses  Uses
}

// Call is one distinct window call.
type Call struct {
	Text     string // as written: avg("5m")
	Stat     series.Stat
	Window   time.Duration
	Arg      float64 // the q of quantile, the horizon of predict in seconds
	Selector string  // of the second argument, "" the matched series
	Place    string  // of that argument, for issues
}

// Uses says what makes the truth change without a sample.
type Uses struct {
	Value     bool
	Age       Clause
	FiringFor Clause
	Hour      bool // now_hour or weekday
	Absent    bool // of any series
	Silence   bool // age, absent or count of the matched series: silence is an answer
}

// Clause is the use of a quantity that grows with time.
type Clause struct {
	Used   bool
	Free   bool      // used otherwise than in a comparison with a constant
	Bounds []float64 // the constants it is compared with, in seconds
}

// Tree is an expression as it was written, over nodes of Code.
type Tree struct {
	Text string
	Args []*Tree
	node int
}

// Inputs are what an evaluation stands on; NaN is unknown.
type Inputs struct {
	Value     float64
	Age       float64 // seconds
	Firing    float64 // 1 or 0
	FiringFor float64 // seconds
	Hour      float64
	Weekday   float64
	Calls     []float64 // in the order of Code.Calls
}

type kind uint8

const (
	number kind = iota
	boolean
	text
	list
)

func (k kind) String() string {
	return [...]string{"a number", "true or false", "text", "a list"}[k]
}

type op uint8

const (
	opConst op = iota // num
	opText            // str
	opLabel           // str names it
	opName
	opTarget
	opValue
	opAge
	opFiring
	opFiringFor
	opHour
	opWeekday
	opCall // a is the call
	opNegate
	opNot
	opAdd
	opSub
	opMul
	opDiv
	opMod
	opPow
	opEqual
	opNotEqual
	opLess
	opLessEqual
	opGreater
	opGreaterEqual
	opIn // nums
	opTextEqual
	opTextNotEqual
	opTextIn // strs
	opMatches
	opContains
	opStartsWith
	opEndsWith
	opAnd
	opOr
	opChoose
	opAbs
	opRound
	opFloor
	opCeil
	opMin
	opMax
	opClamp
)

// node is one step: an operation over earlier nodes a, b and c.
type node struct {
	op      op
	kind    kind
	static  bool // depends on labels and constants alone
	literal bool // depends on constants alone
	a, b, c int
	num     float64
	str     string
	nums    []float64
	strs    []string
	re      *regexp.Regexp
}
