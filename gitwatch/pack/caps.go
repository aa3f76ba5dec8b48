package pack

import "vigil/engine/fault"

// Caps bound what one pack may cost.
type Caps struct {
	Bytes    int64 `toml:"bytes"`    // of the pack as sent
	Objects  int   `toml:"objects"`  // in the pack
	Depth    int   `toml:"depth"`    // of a chain of deltas
	Object   int64 `toml:"object"`   // inflated bytes of one object
	Inflated int64 `toml:"inflated"` // inflated bytes of all objects together
}

// Defaults take a repository of fifty thousand small documents with its
// history, and keep the memory that reading it costs under 64 MiB.
func Defaults() Caps {
	return Caps{Bytes: 64 << 20, Objects: 200_000, Depth: 256, Object: 8 << 20, Inflated: 512 << 20}
}

// Validate wants every cap to be positive.
func (c Caps) Validate() error {
	if c.Bytes <= 0 || c.Objects <= 0 || c.Depth <= 0 || c.Object <= 0 || c.Inflated <= 0 {
		return fault.New(fault.Unprocessable, "every cap of a pack must be positive")
	}
	return nil
}
