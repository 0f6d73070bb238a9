// Package override reads what stands about an emergency override in the annotations of a workload or a Namespace. It is pure.
package override

import "time"

// Prefix is the prefix of the annotations.
const Prefix = "maintenance.fonster.dev/"

// The annotations. A person writes Reason and Notice; the operator and its policies write the others.
const (
	Reason = Prefix + "override"
	Until  = Prefix + "override-until"
	By     = Prefix + "override-by"
	Spent  = Prefix + "override-spent"
	Notice = Prefix + "override-notice"
)

// Override is an emergency override as its object carries it.
type Override struct {
	// Reason is why, By who set it.
	Reason, By string
	// Until is when it ends; zero when nobody has stamped it, which never stands.
	Until time.Time
	// Spent is the reason that is used up.
	Spent string
	// Notice is a sentence for the public; may be empty.
	Notice string
}

// Parse reads the annotations of an object; false where there is no reason. An Until that cannot be read is none.
func Parse(annotations map[string]string) (Override, bool) {
	o := Override{Reason: annotations[Reason], By: annotations[By], Spent: annotations[Spent], Notice: annotations[Notice]}
	if o.Reason == "" {
		return Override{}, false
	}
	if until, err := time.Parse(time.RFC3339, annotations[Until]); err == nil {
		o.Until = until
	}
	return o, true
}

// Stands says whether an override lets changes pass at now.
func (o Override) Stands(now time.Time) bool { return o.Reason != o.Spent && now.Before(o.Until) }
