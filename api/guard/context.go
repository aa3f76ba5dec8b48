package guard

import "context"

type callerKey struct{}

// With hands the caller on to the handlers behind the door.
func With(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// From is the caller of a request that came through the door; outside of one it
// is nobody.
func From(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	if c.Actor == "" {
		c.Actor = "nobody"
	}
	return c
}
