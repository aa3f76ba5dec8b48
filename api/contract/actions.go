package contract

import "time"

// ActionCreate asks for an act. `action_type` is another name for `action`.
type ActionCreate struct {
	Target           string         `json:"target" required:"true" minLength:"1" maxLength:"255" example:"web.service" doc:"What it is about, for people and for limits"`
	Action           string         `json:"action" maxLength:"255" example:"service" doc:"A kind, a name of the catalogue, a spelling of the original, or a name for an outside remediator"`
	ActionType       string         `json:"action_type" maxLength:"255" doc:"Another name for action"`
	Status           *string        `json:"status" enum:"pending,running,completed,failed,cancelled" doc:"Checked and otherwise not looked at: an action begins as pending"`
	Details          *string        `json:"details" maxLength:"10000"`
	QueueImmediately bool           `json:"queue_immediately" doc:"false leaves it pending until it is approved"`
	Priority         *string        `json:"priority" enum:"low,medium,high" default:"medium"`
	With             map[string]any `json:"with" doc:"Parameters of the kind"`
	Reason           *string        `json:"reason" maxLength:"500"`
	Strict           bool           `json:"strict" doc:"A name that nothing here is called by is refused when one that is known is near, and not left for an outside remediator"`
}

// ActionCreated is the answer to it.
type ActionCreated struct {
	OK         bool      `json:"ok"`
	ActionID   int64     `json:"action_id" example:"17"`
	Message    string    `json:"message" example:"Action created successfully and queued for execution"`
	Target     string    `json:"target"`
	ActionType string    `json:"action_type"`
	Status     string    `json:"status" example:"pending"`
	State      string    `json:"state" example:"queued"`
	Queued     bool      `json:"queued"`
	CreatedAt  time.Time `json:"created_at"`
	DidYouMean string    `json:"did_you_mean,omitempty" example:"service" doc:"Of what waits for an outside remediator: the name here that is nearest to its own"`
}

// Action is one remediation. The first eight fields are the original's;
// `status` is its word for our `state`.
type Action struct {
	ID           int64      `json:"id" example:"17"`
	Target       string     `json:"target"`
	Action       string     `json:"action" doc:"As it was asked for; an attempt says which kind acted"`
	Status       string     `json:"status" enum:"pending,running,completed,failed,cancelled"`
	Details      *string    `json:"details"`
	ErrorMessage *string    `json:"error_message"`
	StartedAt    time.Time  `json:"started_at" doc:"When it began; when it was asked for, as long as it has not begun"`
	CompletedAt  *time.Time `json:"completed_at"`

	State      string            `json:"state" enum:"queued,held,running,verifying,succeeded,gave_up,refused,cancelled,indeterminate,failed"`
	Source     string            `json:"source" enum:"policy,api,reconcile,external"`
	Policy     string            `json:"policy,omitempty"`
	Severity   string            `json:"severity,omitempty"`
	Priority   string            `json:"priority,omitempty"`
	Actor      string            `json:"actor,omitempty" doc:"Who asked for it"`
	Subject    string            `json:"subject,omitempty" doc:"What is locked and limited"`
	Labels     map[string]string `json:"labels,omitempty"`
	Gate       string            `json:"gate,omitempty" doc:"The gate that last held or refused it"`
	Reason     string            `json:"reason,omitempty"`
	Until      *time.Time        `json:"until,omitempty" doc:"Held, backing off, or given up until; of what waits for an outside remediator: then given up"`
	Rung       int               `json:"rung" doc:"Step of the ladder, from 0"`
	Attempts   int               `json:"attempts" doc:"Acts so far"`
	Approval   bool              `json:"approval,omitempty" doc:"A person must say yes"`
	ApprovedBy string            `json:"approved_by,omitempty"`
	ApproveBy  *time.Time        `json:"approve_by,omitempty"`
	CreatedAt  time.Time         `json:"created_at"`
}

// ActionList is a page of actions, newest first. `next` is the cursor of the
// page after it: give it as `before`, "" when there is none.
type ActionList struct {
	Count    int      `json:"count"`
	Total    int      `json:"total"`
	Page     int      `json:"page"`
	PageSize int      `json:"page_size"`
	Actions  []Action `json:"actions"`
	Next     string   `json:"next,omitempty"`
}

// ActionCancel is the optional body of a cancellation.
type ActionCancel struct {
	Reason *string `json:"reason" maxLength:"500"`
}

// ActionResolve is a person's word on an act whose end nobody saw.
type ActionResolve struct {
	Done   bool    `json:"done" required:"true" doc:"true: it was done; false: it was not"`
	Reason *string `json:"reason" maxLength:"500" doc:"How that is known; it stands in the audit trail"`
}

// ActionChanged is the answer to a change of one action.
type ActionChanged struct {
	OK             bool   `json:"ok"`
	ActionID       int64  `json:"action_id"`
	Message        string `json:"message" example:"Action cancelled successfully"`
	PreviousStatus string `json:"previous_status"`
	NewStatus      string `json:"new_status,omitempty"`
	PreviousState  string `json:"previous_state,omitempty" doc:"The same in vigild's own words, of which the original's have fewer"`
	State          string `json:"state,omitempty"`
}

// ActionStatus is an outside remediator's word on an action.
type ActionStatus struct {
	Status       string  `json:"status" required:"true" enum:"pending,running,completed,failed,cancelled"`
	Details      *string `json:"details" maxLength:"1000"`
	ErrorMessage *string `json:"error_message" maxLength:"1000"`
}

// Attempt is one act of a remediation.
type Attempt struct {
	ID         string         `json:"id" example:"1-17-2"`
	N          int            `json:"n"`
	Rung       int            `json:"rung"`
	Action     string         `json:"action"`
	Subject    string         `json:"subject"`
	Class      string         `json:"class" enum:"convergent,probed,unsafe"`
	StartedAt  time.Time      `json:"started_at"`
	FinishedAt *time.Time     `json:"finished_at"`
	OK         bool           `json:"ok"`
	Error      string         `json:"error,omitempty"`
	TimedOut   bool           `json:"timed_out,omitempty"`
	Exit       *int           `json:"exit,omitempty"`
	Output     string         `json:"output,omitempty"`
	Data       map[string]any `json:"data,omitempty"`
}

// AttemptList is every act of one remediation, oldest first.
type AttemptList struct {
	Attempts []Attempt `json:"attempts"`
}

// QueueStatus is the queue as the original showed it.
type QueueStatus struct {
	QueueDepth        int            `json:"queue_depth"`
	Completed         int            `json:"completed"`
	Failed            int            `json:"failed"`
	SuccessRate       float64        `json:"success_rate" doc:"0 to 100"`
	History           []QueueMoment  `json:"history" doc:"At most 60, one every 5 s, oldest first"`
	QueueLength       int            `json:"queue_length"`
	TasksEnqueued     int            `json:"tasks_enqueued"`
	TasksDequeued     int            `json:"tasks_dequeued"`
	TasksFailed       int            `json:"tasks_failed"`
	TasksCompleted    int            `json:"tasks_completed"`
	LastProcessedTask *QueueTask     `json:"last_processed_task"`
	QueueName         string         `json:"queue_name" example:"remediation_queue"`
	States            map[string]int `json:"states" doc:"Remediations by our state"`
}

// QueueStats is the same, flat and under `queue`, for clients that look there.
type QueueStats struct {
	OK bool `json:"ok"`
	QueueStatus
	Queue QueueStatus `json:"queue"`
}

// QueueMoment is the depth at one moment.
type QueueMoment struct {
	Time  time.Time `json:"time"`
	Depth int       `json:"depth"`
}

// QueueRecorded is the moment that was taken into the history.
type QueueRecorded struct {
	OK      bool   `json:"ok"`
	Message string `json:"message"`
	QueueMoment
}

// QueueTasks is what waits.
type QueueTasks struct {
	OK          bool     `json:"ok"`
	QueueName   string   `json:"queue_name"`
	QueueLength int      `json:"queue_length"`
	Tasks       []Action `json:"tasks"`
}

// QueueTask is the remediation that ended last.
type QueueTask struct {
	TaskID    string    `json:"task_id"`
	ActionID  int64     `json:"action_id"`
	Target    string    `json:"target"`
	Timestamp time.Time `json:"timestamp"`
}

// QueueHealth is the original's health of the queue. There is no Redis here:
// the field says whether the queue, which lies in the ledger, can be read.
type QueueHealth struct {
	Status         string `json:"status" enum:"healthy,degraded,unhealthy"`
	Service        string `json:"service" example:"queue"`
	RedisConnected bool   `json:"redis_connected" doc:"Whether the queue can be read"`
	QueueDepth     int    `json:"queue_depth"`
}

// CatalogueEntry is one action that can be named.
type CatalogueEntry struct {
	Name        string            `json:"name"`
	Kind        string            `json:"kind" doc:"Of an entry exec or http, of a built-in kind its name"`
	From        string            `json:"from" doc:"built in, the local config, or place and commit of the repository"`
	Description string            `json:"description,omitempty"`
	Params      map[string]string `json:"params,omitempty" doc:"Of an entry: the pattern that the whole value of each parameter has to match"`
}

// Catalogue is every action that can be named, by name.
type Catalogue struct {
	Actions []CatalogueEntry `json:"actions"`
}
