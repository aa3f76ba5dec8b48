package manage

import (
	"context"

	"vigil/api/contract"
	"vigil/api/face"
	"vigil/api/guard"
	"vigil/engine/fault"
)

func (m *Manage) backups(r *face.Registrar) {
	face.Handle(r, face.Line("POST", "/api/v1/backup", guard.Administer, "backup", "Copy the stores into a folder on this host", "system", 0),
		func(ctx context.Context, _ guard.Caller, in *struct{ Body contract.BackupRequest }) (*face.Reply[contract.OK], error) {
			if m.Backup == nil {
				return nil, fault.New(fault.Unavailable, "there is nothing here that could be copied")
			}
			if err := m.Backup(ctx, in.Body.Dir); err != nil {
				return nil, err
			}
			return face.Say(contract.OK{OK: true, Message: "Backup written to '" + in.Body.Dir + "'"})
		})

	face.Handle(r, face.Line("POST", "/api/v1/clock/confirm", guard.Operate, "confirmClock", "Say that the wall clock is right after it stepped", "system", 0),
		func(ctx context.Context, c guard.Caller, _ *face.None) (*face.Reply[contract.OK], error) {
			if m.Confirm == nil {
				return nil, fault.New(fault.Unavailable, "there is no clock here that waits for a word")
			}
			if err := m.Confirm(ctx, c.Actor); err != nil {
				return nil, err
			}
			return face.Say(contract.OK{OK: true, Message: "The clock is right; retention by age goes on"})
		})
}
