package contract

import (
	"encoding/json"
	"time"
)

// HoldCreate says that something must not be acted on. `for` and `until` say
// how long; a maintenance window with a schedule needs `length`.
type HoldCreate struct {
	Kind     string     `json:"kind" required:"true" enum:"pause,silence,maintenance,hands_off"`
	Reason   string     `json:"reason" required:"true" minLength:"1" maxLength:"500"`
	Matchers *string    `json:"matchers" maxLength:"2048" example:"{service=\"web\"}" doc:"A selector over the labels of firings, with policy, target and severity; empty takes everything"`
	Subject  *string    `json:"subject" maxLength:"512" example:"systemd:web.service"`
	Schedule *string    `json:"schedule" maxLength:"128" example:"0 2 * * 6" doc:"Cron expression of the window's begin"`
	Zone     *string    `json:"zone" maxLength:"64" example:"Europe/Berlin"`
	Length   *string    `json:"length" maxLength:"32" example:"2h"`
	For      *string    `json:"for" maxLength:"32" example:"1h"`
	From     *time.Time `json:"from"`
	Until    *time.Time `json:"until"`
}

// Hold is a person's word that something must not be acted on.
type Hold struct {
	ID        string     `json:"id"`
	Kind      string     `json:"kind" enum:"pause,silence,maintenance,hands_off"`
	Owner     string     `json:"owner"`
	Actor     string     `json:"actor"`
	Reason    string     `json:"reason"`
	Matchers  string     `json:"matchers,omitempty"`
	Subject   string     `json:"subject,omitempty"`
	Schedule  string     `json:"schedule,omitempty"`
	Zone      string     `json:"zone,omitempty"`
	Length    string     `json:"length,omitempty"`
	From      *time.Time `json:"from"`
	Until     *time.Time `json:"until"`
	CreatedAt *time.Time `json:"created_at"`
}

// HoldList is the holds that stand.
type HoldList struct {
	Holds []Hold `json:"holds"`
}

// PauseRequest stops all acts for a while.
type PauseRequest struct {
	For    string `json:"for" required:"true" maxLength:"32" example:"1h"`
	Reason string `json:"reason" required:"true" minLength:"1" maxLength:"500"`
}

// Resumed is how many pauses were ended.
type Resumed struct {
	OK       bool   `json:"ok"`
	Message  string `json:"message"`
	Released int    `json:"released"`
}

// AuditRecord is one record of the chain. Evidence is JSON.
type AuditRecord struct {
	Seq      int64           `json:"seq"`
	Time     time.Time       `json:"time"`
	Actor    string          `json:"actor"`
	Verb     string          `json:"verb"`
	Object   string          `json:"object"`
	Reason   string          `json:"reason"`
	Evidence json.RawMessage `json:"evidence,omitempty"`
	Prev     string          `json:"prev" doc:"Hash of the record before, hexadecimal"`
	Hash     string          `json:"hash"`
}

// AuditList is a page of records, oldest first. `next` is the cursor of the
// page after it: give it as `after`, "" when there is none.
type AuditList struct {
	Records []AuditRecord `json:"records"`
	Next    string        `json:"next,omitempty"`
}

// AuditVerified is what a check of the whole chain found.
type AuditVerified struct {
	OK      bool   `json:"ok"`
	Records int64  `json:"records"`
	First   int64  `json:"first"`
	Last    int64  `json:"last"`
	Head    string `json:"head" doc:"Hash of the newest record"`
	Fault   string `json:"fault,omitempty" doc:"The first thing wrong, by record"`
	Gaps    int    `json:"gaps,omitempty" doc:"Times that the ledger was lost: what stood before is not in this chain"`
}

// AuditPrune names the last record that is to go, by number and hash: who has
// exported it knows both.
type AuditPrune struct {
	Seq  int64  `json:"seq" required:"true" minimum:"1" example:"4711"`
	Hash string `json:"hash" required:"true" minLength:"64" maxLength:"64" doc:"Hash of that record, hexadecimal"`
}

// AuditPruned is what went: the records first to seq. Seq and hash are the head
// that stays, from which the rest of the chain verifies.
type AuditPruned struct {
	OK      bool   `json:"ok"`
	Removed int64  `json:"removed"`
	First   int64  `json:"first"`
	Seq     int64  `json:"seq"`
	Hash    string `json:"hash"`
}

// TokenCreate asks for a token.
type TokenCreate struct {
	Name string  `json:"name" required:"true" minLength:"1" maxLength:"63" example:"ci"`
	Role string  `json:"role" required:"true" enum:"viewer,pusher,operator,admin"`
	For  *string `json:"for" maxLength:"32" example:"90d" doc:"How long it is good for; without it, until it is deleted"`
}

// Token is a token without its secret.
type Token struct {
	Name      string     `json:"name"`
	Role      string     `json:"role" enum:"viewer,pusher,operator,admin"`
	CreatedAt *time.Time `json:"created_at"`
	ExpiresAt *time.Time `json:"expires_at"`
	UsedAt    *time.Time `json:"used_at"`
	Fixed     bool       `json:"fixed" doc:"It stands in the local config"`
}

// TokenCreated shows the secret, once.
type TokenCreated struct {
	Token
	Secret string `json:"secret" doc:"Shown this once; only its hash is kept"`
}

// TokenList is all tokens.
type TokenList struct {
	Tokens []Token `json:"tokens"`
}
