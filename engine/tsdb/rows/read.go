package rows

import (
	"context"
	"database/sql"

	"vigil/engine/series"
	"vigil/engine/tsdb/chunk"
)

// Read appends the points of a series with mint < T <= maxt, in time order. It
// blocks on disk; concurrent.
func (d *DB) Read(ctx context.Context, dst []series.Point, ref series.Ref, mint, maxt int64) ([]series.Point, error) {
	rs, err := d.ranged.QueryContext(ctx, int64(ref), mint, maxt)
	if err != nil {
		return dst, err
	}
	defer rs.Close()
	for rs.Next() {
		var from, to int64
		var blob sql.RawBytes
		if err := rs.Scan(&from, &to, &blob); err != nil {
			return dst, err
		}
		if to <= mint {
			continue
		}
		if dst, err = chunk.DecodeAll(dst, blob, mint, maxt); err != nil {
			return dst, err
		}
	}
	return dst, rs.Err()
}
