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

// Parse reads the annotations of an object. Without a Reason there is no override, but maybe notes of one that was taken away.
// An Until that cannot be read is none.
func Parse(annotations map[string]string) Override {
	o := Override{Reason: annotations[Reason], By: annotations[By], Spent: annotations[Spent], Notice: annotations[Notice]}
	if until, err := time.Parse(time.RFC3339, annotations[Until]); err == nil {
		o.Until = until
	}
	return o
}

// ObjectName names an object for people, such as "Deployment osthammar/web" or "Namespace osthammar".
func ObjectName(kind, namespace, name string) string {
	if namespace == "" {
		return kind + " " + name
	}
	return kind + " " + namespace + "/" + name
}

// Stands says whether an override lets changes pass at now.
func (o Override) Stands(now time.Time) bool {
	return o.Reason != "" && o.Reason != o.Spent && now.Before(o.Until)
}
