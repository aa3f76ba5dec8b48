package client

import (
	"context"
	"net/url"
	"strconv"
	"time"

	"vigil/api/contract"
)

// slow is how long calls may take that look at the whole machine.
const slow = 2 * time.Minute

// patient is a client that waits longer for one answer.
func (c *Client) patient() *Client {
	p := *c
	p.cfg.Timeout = max(p.cfg.Timeout, slow)
	return &p
}

// Desired is where the host stands towards its desired state.
func (c *Client) Desired(ctx context.Context) (contract.Desired, error) {
	return get[contract.Desired](ctx, c, "/api/v1/desired", nil)
}

// resourcePath escapes both parts: a name may hold a slash.
func resourcePath(kind, name string) string {
	return "/api/v1/resources/" + url.PathEscape(kind) + "/" + url.PathEscape(name)
}

// Resource is one thing and how it stands.
func (c *Client) Resource(ctx context.Context, kind, name string) (contract.Resource, error) {
	return get[contract.Resource](ctx, c, resourcePath(kind, name), nil)
}

// ResourceContents is what stands in the files of a thing that differs.
func (c *Client) ResourceContents(ctx context.Context, kind, name string) (contract.ContentsList, error) {
	return get[contract.ContentsList](ctx, c, resourcePath(kind, name)+"/content", nil)
}

// Resources is a page of everything that should be in some way; after is the next
// of an earlier page.
func (c *Client) Resources(ctx context.Context, after string, limit int) (contract.ResourceList, error) {
	return get[contract.ResourceList](ctx, c, "/api/v1/resources", values("after", after, "limit", number(limit)))
}

// Drift is a page of what differs.
func (c *Client) Drift(ctx context.Context, after string, limit int) (contract.ResourceList, error) {
	return get[contract.ResourceList](ctx, c, "/api/v1/drift", values("after", after, "limit", number(limit)))
}

// DriftHistory is a page of every difference that was found; ref "" is any.
func (c *Client) DriftHistory(ctx context.Context, before, ref string, limit int) (contract.DriftList, error) {
	return get[contract.DriftList](ctx, c, "/api/v1/drift/history", values("before", before, "ref", ref, "limit", number(limit)))
}

// Resync has the daemon look at everything now.
func (c *Client) Resync(ctx context.Context) (contract.OK, error) {
	return post[contract.OK](ctx, c.patient(), "/api/v1/drift/resync", nil)
}

// CommitDrift asks for a commit that says what was found.
func (c *Client) CommitDrift(ctx context.Context, r contract.DriftCommitRequest) (contract.DriftCommit, error) {
	return post[contract.DriftCommit](ctx, c.patient(), "/api/v1/drift/commit", r)
}

// Revisions is a page of commits, newest first.
func (c *Client) Revisions(ctx context.Context, before string, limit int) (contract.RevisionList, error) {
	return get[contract.RevisionList](ctx, c, "/api/v1/revisions", values("before", before, "limit", number(limit)))
}

// Revision is one of them.
func (c *Client) Revision(ctx context.Context, n int64) (contract.Revision, error) {
	return get[contract.Revision](ctx, c, "/api/v1/revisions/"+strconv.FormatInt(n, 10), nil)
}

// Plan is what a commit would change; "" is the newest.
func (c *Client) Plan(ctx context.Context, commit string) (contract.Plan, error) {
	return get[contract.Plan](ctx, c.patient(), "/api/v1/plan", values("commit", commit))
}

// Rollback returns to a commit that was good, "" the newest such.
func (c *Client) Rollback(ctx context.Context, commit, reason string) (contract.Revision, error) {
	return post[contract.Revision](ctx, c, "/api/v1/revisions/rollback", contract.RollbackRequest{Commit: commit, Reason: reason})
}

// RetryRevision applies a bad commit again.
func (c *Client) RetryRevision(ctx context.Context, commit string) (contract.Revision, error) {
	return post[contract.Revision](ctx, c, "/api/v1/revisions/retry", contract.RetryRequest{Commit: commit})
}

// Suspends lists those that stand.
func (c *Client) Suspends(ctx context.Context) (contract.SuspendList, error) {
	return get[contract.SuspendList](ctx, c, "/api/v1/suspends", nil)
}

// Suspend leaves things alone for a while, such as 2h.
func (c *Client) Suspend(ctx context.Context, selector, span, reason string) (contract.Suspend, error) {
	return post[contract.Suspend](ctx, c, "/api/v1/suspends", contract.SuspendRequest{Selector: selector, For: span, Reason: reason})
}

// Unsuspend ends one before its time.
func (c *Client) Unsuspend(ctx context.Context, id, reason string) (out contract.OK, err error) {
	return out, c.do(ctx, call{method: "DELETE", path: "/api/v1/suspends/" + url.PathEscape(id), query: values("reason", reason)}, &out)
}

// Adopt asks how a thing stands, as a document.
func (c *Client) Adopt(ctx context.Context, r contract.AdoptRequest) (contract.Manifest, error) {
	return post[contract.Manifest](ctx, c.patient(), "/api/v1/adopt", r)
}

// Signer is who signs the commits that the daemon makes itself.
func (c *Client) Signer(ctx context.Context) (contract.Signer, error) {
	return get[contract.Signer](ctx, c, "/api/v1/git/signer", nil)
}

// InitRepository makes the first commit of the daemon's repository.
func (c *Client) InitRepository(ctx context.Context) (contract.FirstCommit, error) {
	return post[contract.FirstCommit](ctx, c.patient(), "/api/v1/git/init", nil)
}
