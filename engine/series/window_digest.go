package series

import (
	"cmp"
	"math"
	"slices"
)

// digestSize is the room for centroids in one pane; compression leaves at most
// about two thirds of it filled.
const (
	digestSize  = 32
	digestDelta = 20
)

// centroid is some samples that are told by their mean.
type centroid struct{ mean, count float64 }

// digest is a merging t-digest (Dunning and Ertl, scale function k1) in a fixed
// room: the same samples in the same order give the same digest, and taking one
// in allocates nothing.
type digest struct {
	used int
	c    [digestSize]centroid
}

func (d *digest) add(v float64) {
	if d.used == digestSize {
		d.compress()
	}
	d.c[d.used] = centroid{v, 1}
	d.used++
}

func (d *digest) compress() {
	c := d.c[:d.used]
	sortCentroids(c)
	total := 0.0
	for _, x := range c {
		total += x.count
	}
	scale := func(q float64) float64 {
		return digestDelta / (2 * math.Pi) * math.Asin(2*min(1, max(0, q))-1)
	}
	out, before := 0, 0.0
	limit := scale(0) + 1
	for i := 1; i < len(c); i++ {
		if scale((before+c[out].count+c[i].count)/total) <= limit {
			n := c[out].count + c[i].count
			c[out].mean += (c[i].mean - c[out].mean) * c[i].count / n
			c[out].count = n
			continue
		}
		before += c[out].count
		limit = scale(before/total) + 1
		out++
		c[out] = c[i]
	}
	d.used = out + 1
}

func sortCentroids(c []centroid) {
	slices.SortFunc(c, func(a, b centroid) int { return cmp.Compare(a.mean, b.mean) })
}

// quantile reads the digests of the panes inside together: linear between the
// middles of neighbouring centroids, and the true extremes at the ends.
func (s *span) quantile(q float64, sc *Scratch) float64 {
	sc.centroids = sc.centroids[:0]
	lo, hi, total := math.Inf(1), math.Inf(-1), 0.0
	for p := s.plo; p < s.pnext; p++ {
		d := &s.quant[p%maxPanes]
		sc.centroids = append(sc.centroids, d.c[:d.used]...)
		lo, hi = min(lo, s.panes[p%maxPanes].min), max(hi, s.panes[p%maxPanes].max)
		total += float64(s.panes[p%maxPanes].count)
	}
	c := sc.centroids
	sortCentroids(c)
	target := q * (total - 1)
	leftRank, leftValue, before := 0.0, lo, 0.0
	for _, x := range c {
		middle := before + (x.count-1)/2
		if target <= middle {
			if middle <= leftRank {
				return min(max(x.mean, lo), hi)
			}
			return leftValue + (x.mean-leftValue)*(target-leftRank)/(middle-leftRank)
		}
		leftRank, leftValue = middle, x.mean
		before += x.count
	}
	if total-1 <= leftRank {
		return hi
	}
	return leftValue + (hi-leftValue)*(target-leftRank)/(total-1-leftRank)
}
