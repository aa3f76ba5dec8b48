// Package face is how an operation of the management face is registered and
// answered: one function for all, so that every one declares its permission,
// learns its caller and fails in the same words.
//
// Handlers see Go values of api/contract and errors of engine/fault; huma's
// types end here. It refuses to log what an answer already says, and it holds
// no state. Everything may be called concurrently.
package face

import (
	"context"
	"log/slog"

	"github.com/danielgtaylor/huma/v2"

	"vigil/api/guard"
	"vigil/api/problem"
)

// PermissionKey is where an operation's metadata holds its permission.
const PermissionKey = "permission"

// Security is what the operations ask for in the OpenAPI document: a token, or
// nothing where the listener leaves it open.
var Security = []map[string][]string{{"token": {}}, {}}

// Registrar is the face with what all operations have in common. Responses
// makes that part of an operation's responses.
type Registrar struct {
	API       huma.API
	Responses func() map[string]*huma.Response
	Log       *slog.Logger
}

// Op describes one operation.
type Op struct {
	Method, Path string
	Permission   guard.Permission
	ID, Summary  string
	Tag          string
	Status       int // of success; 0 is 200
}

// Line is an Op in one line. A status of 0 is 200.
func Line(method, path string, permission guard.Permission, id, summary, tag string, status int) Op {
	return Op{method, path, permission, id, summary, tag, status}
}

// Handle registers an operation. The handler is given its caller.
func Handle[I, O any](r *Registrar, o Op, f func(ctx context.Context, c guard.Caller, in *I) (*O, error)) {
	if o.Status == 0 {
		o.Status = 200
	}
	huma.Register(r.API, huma.Operation{
		OperationID: o.ID, Method: o.Method, Path: o.Path, Summary: o.Summary, Description: o.Permission.Explain(), Tags: []string{o.Tag},
		DefaultStatus: o.Status, Responses: r.Responses(), Security: Security,
		Metadata: map[string]any{PermissionKey: o.Permission},
	}, func(ctx context.Context, in *I) (*O, error) {
		out, err := f(ctx, guard.From(ctx), in)
		if err != nil {
			p, hidden := problem.From(err)
			if hidden { // the answer does not say it, so the log must
				r.Log.Error("request failed", "operation", o.ID, "actor", guard.From(ctx).Actor, "error", err)
			}
			return nil, p
		}
		return out, nil
	})
}

// None is the input of an operation that has none.
type None struct{}

// Reply is an answer with nothing but a body.
type Reply[T any] struct{ Body T }

// Say is such an answer.
func Say[T any](v T) (*Reply[T], error) { return &Reply[T]{v}, nil }
