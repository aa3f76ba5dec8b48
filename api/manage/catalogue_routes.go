package manage

import (
	"context"

	"vigil/api/contract"
	"vigil/api/face"
	"vigil/api/guard"
	"vigil/engine/fault"
)

func (m *Manage) catalogue(r *face.Registrar) {
	face.Handle(r, face.Line("GET", "/api/v1/catalogue", guard.Read, "listCatalogue", "What can be named as an action, and where it is defined", "actions", 0),
		func(context.Context, guard.Caller, *face.None) (*face.Reply[contract.Catalogue], error) {
			if m.Catalogue == nil {
				return nil, fault.New(fault.Unsupported, "the catalogue is not listed here")
			}
			all := m.Catalogue()
			out := contract.Catalogue{Actions: make([]contract.CatalogueEntry, len(all))}
			for i, a := range all {
				out.Actions[i] = contract.CatalogueEntry(a)
			}
			return face.Say(out)
		})
}
