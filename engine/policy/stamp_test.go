package policy

import "vigil/engine/clock"

// stamp is a moment of one boot at which both clocks show ms.
func stamp(ms int64) clock.Stamp { return clock.Stamp{Wall: ms * 1000, Boot: ms * 1e6, BootID: "boot"} }
