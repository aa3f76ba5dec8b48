package fault

import "net/http"

// Kind classifies a failure. The list is closed; new kinds are appended, since
// their names are on the wire.
type Kind uint8

// The kinds.
const (
	OK              Kind = iota
	Invalid              // malformed: it could not be read at all
	Unprocessable        // readable, but it breaks a rule that is named
	Unauthenticated      // no credential, or one that is not known
	Forbidden            // known, but not allowed
	NotFound             // the thing does not exist
	Conflict             // the thing exists in a state that does not allow this
	Precondition         // the caller's version is not the current one
	TooLarge             // over a size cap
	Unsupported          // a media type, encoding or method that is not spoken here
	Exhausted            // over a rate, a queue or a cap: wait and try again
	Unavailable          // not now: starting, stopping, read-only
	Timeout              // the deadline passed
	Cancelled            // the caller went away
	Corrupt              // what is on disk is not what was written
	Internal             // ours
	Usage                // a command line that cannot be understood
)

// traits is what a kind means elsewhere: one row a kind, in the order above.
var traits = [...]struct {
	name   string
	status int  // HTTP
	exit   int  // process
	retry  bool // may the same call succeed later
	public bool // may the text be shown to a stranger
}{
	OK:              {"ok", http.StatusOK, 0, false, true},
	Invalid:         {"invalid", http.StatusBadRequest, 3, false, true},
	Unprocessable:   {"unprocessable", http.StatusUnprocessableEntity, 3, false, true},
	Unauthenticated: {"unauthenticated", http.StatusUnauthorized, 4, false, true},
	Forbidden:       {"forbidden", http.StatusForbidden, 4, false, true},
	NotFound:        {"not_found", http.StatusNotFound, 5, false, true},
	Conflict:        {"conflict", http.StatusConflict, 6, false, true},
	Precondition:    {"precondition", http.StatusPreconditionFailed, 6, false, true},
	TooLarge:        {"too_large", http.StatusRequestEntityTooLarge, 3, false, true},
	Unsupported:     {"unsupported", http.StatusUnsupportedMediaType, 3, false, true},
	Exhausted:       {"exhausted", http.StatusTooManyRequests, 7, true, true},
	Unavailable:     {"unavailable", http.StatusServiceUnavailable, 7, true, true},
	Timeout:         {"timeout", http.StatusGatewayTimeout, 7, true, true},
	Cancelled:       {"cancelled", 499, 7, true, true},
	Corrupt:         {"corrupt", http.StatusInternalServerError, 8, false, false},
	Internal:        {"internal", http.StatusInternalServerError, 1, false, false},
	Usage:           {"usage", http.StatusBadRequest, 2, false, true},
}

// String is the kind's stable name on the wire and in logs.
func (k Kind) String() string { return traits[k].name }

// Status is the HTTP status a kind is answered with.
func (k Kind) Status() int { return traits[k].status }

// Exit is the exit code of a command that ends with this kind.
func (k Kind) Exit() int { return traits[k].exit }

// Retry says whether the same call may succeed later without being changed.
func (k Kind) Retry() bool { return traits[k].retry }

// Public says whether the error's own text may be shown to whoever asked.
func (k Kind) Public() bool { return traits[k].public }
