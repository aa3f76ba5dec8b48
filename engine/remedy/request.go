package remedy

import (
	"vigil/engine/fault"
	"vigil/engine/remedy/placeholder"
)

// Request is the request of r's current rung with its placeholders filled in;
// the attempt's id and start are given when it is opened. A bound that the
// placeholders break is an error of kind Unprocessable that names it.
func (r *Remediation) Request() (Request, error) {
	if r.Rung < 0 || r.Rung >= len(r.Plan.Ladder) {
		return Request{}, fault.New(fault.Unprocessable, "remediation %d has no rung %d", r.ID, r.Rung)
	}
	rung := r.Plan.Ladder[r.Rung]
	// A policy may have been stored before this was refused. A message is sent as it
	// always was: odd words are better than none.
	if r.Source == FromPolicy && rung.Action != "notify" {
		var is fault.Issues
		literal(&is, "target", r.Plan.Target)
		literal(&is, "with", rung.With)
		if err := is.Err(); err != nil {
			return Request{}, fault.Wrap(fault.Unprocessable, err, "rung %d (%s)", r.Rung+1, rung.Action)
		}
	}
	with, err := placeholder.FillAll(rung.With, placeholder.Values{Labels: r.Labels, Target: r.Target, Policy: r.Policy})
	if err != nil {
		return Request{}, fault.Wrap(fault.Unprocessable, err, "rung %d (%s)", r.Rung+1, rung.Action)
	}
	q := Request{
		Action: rung.Action, Source: r.Source, With: with, Target: r.Target, Policy: r.Policy,
		Severity: r.Severity, Rung: r.Rung, Labels: r.Labels, Reason: r.purpose(),
		Back: r.Source == FromReconcile && r.Labels[LabelBack] == "yes", // other sources' labels are anybody's
	}
	if rung.Timeout != nil {
		q.Timeout = rung.Timeout.Std()
	}
	return q, nil
}

// purpose is what an act is told about why it is: what a person wrote who asked for
// it, else what the policy saw or what came of the try before. What held it
// meanwhile is no purpose.
func (r *Remediation) purpose() string {
	switch held := r.Gate != ""; {
	case r.Details != "" || held && r.Policy == "":
		return r.Details
	case r.Policy == "":
		return r.Reason
	case held || r.Reason == "":
		return "policy " + r.Policy + " fires"
	}
	return "policy " + r.Policy + " " + r.Reason
}

// TargetOf is the plan's target with its placeholders filled in; "" when the
// plan names none. Errors are of kind Unprocessable.
func TargetOf(p Plan, r Remediation) (string, error) {
	if p.Target == "" {
		return "", nil
	}
	return placeholder.Fill(p.Target, placeholder.Values{Labels: r.Labels, Target: r.Target, Policy: r.Policy})
}
