//go:build !race

package tsdb

const racing = false
