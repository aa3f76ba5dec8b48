package shard

import (
	"sync"

	"vigil/engine/clock"
	"vigil/engine/match"
	"vigil/engine/series"
)

// Block is the part of one committed batch that a shard watches.
type Block struct {
	shard  *Shard
	end    uint64 // log position after the batch
	at     clock.Stamp
	replay bool // from the log, at start: what was evaluated before is skipped
	points []series.Point
	runs   []run
}

type run struct {
	w      *match.Watch[Tap]
	lo, hi int
}

var blocks = sync.Pool{New: func() any { return new(Block) }}

// TakeBlock gets an empty block for a shard.
func TakeBlock(s *Shard, end uint64, at clock.Stamp, replay bool) *Block {
	b := blocks.Get().(*Block)
	*b = Block{shard: s, end: end, at: at, replay: replay, points: b.points[:0], runs: b.runs[:0]}
	return b
}

// Add appends the points of one series.
func (b *Block) Add(w *match.Watch[Tap], ps []series.Point) {
	lo := len(b.points)
	b.points = append(b.points, ps...)
	b.runs = append(b.runs, run{w, lo, len(b.points)})
}

// Shard is where the block goes.
func (b *Block) Shard() *Shard { return b.shard }
