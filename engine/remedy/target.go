package remedy

// TargetOf is the plan's target with its placeholders filled in; "" when the
// plan names none. Errors are of kind Unprocessable.
func TargetOf(p Plan, r Remediation) (string, error) {
	if p.Target == "" {
		return "", nil
	}
	return Expand(p.Target, Values{Labels: r.Labels, Target: r.Target, Policy: r.Policy})
}
