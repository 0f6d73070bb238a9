// Package override reads what stands about an emergency override in the metadata of a workload or a Namespace. It is pure.
package override

import (
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"fonster.dev/fonster/api/v1alpha1"
)

// Short names of the annotations, all of which api/v1alpha1 tells.
const (
	Reason = v1alpha1.OverrideAnnotation
	Until  = v1alpha1.OverrideUntilAnnotation
	By     = v1alpha1.OverrideByAnnotation
	Spent  = v1alpha1.OverrideSpentAnnotation
	From   = v1alpha1.OverrideFromAnnotation
	Notice = v1alpha1.OverrideNoticeAnnotation
)

// Override is an emergency override as its object carries it.
type Override struct {
	// Marked says that the object has the mark. Policies guard the notes of what has it; without it notes are nothing, as anybody
	// may have written them where no gate governed.
	Marked bool
	// Reason is why, By who set it.
	Reason, By string
	// Until is when it ends; zero when nobody has stamped it, which never stands.
	Until time.Time
	// From is when it began, and FromGeneration the generation that its object had then; zero where nothing has stamped them.
	From           time.Time
	FromGeneration int64
	// Spent are the last reasons that are used up, the latest first.
	Spent []string
	// Notice is a sentence for the public; may be empty.
	Notice string
}

// Parse reads the metadata of an object. Without a Reason there is no override, but maybe notes of one that was taken away.
// An Until that cannot be read is none.
func Parse(object metav1.Object) Override {
	annotations := object.GetAnnotations()
	o := Override{Reason: annotations[Reason], By: annotations[By], Notice: annotations[Notice]}
	o.Marked = object.GetLabels()[v1alpha1.OverriddenLabel] == "true"
	if spent := annotations[Spent]; spent != "" {
		o.Spent = strings.Split(spent, "\n")
	}
	if until, err := time.Parse(time.RFC3339, annotations[Until]); err == nil {
		o.Until = until
	}
	at, generation, _ := strings.Cut(annotations[From], "/")
	if from, err := time.Parse(time.RFC3339, at); err == nil {
		if n, err := strconv.ParseInt(generation, 10, 64); err == nil {
			o.From, o.FromGeneration = from, n
		}
	}
	return o
}

// Spend returns the reasons that are used up once the present one is, as Spent has them. One that could never stand need not
// be remembered.
func (o Override) Spend() string {
	spent := o.Spent
	if o.Reason != "" && len([]rune(o.Reason)) <= v1alpha1.MaxOverrideReason && !strings.Contains(o.Reason, "\n") {
		spent = append([]string{o.Reason}, slices.DeleteFunc(slices.Clone(spent), func(s string) bool { return s == o.Reason })...)
	}
	return strings.Join(spent[:min(len(spent), v1alpha1.MaxSpentReasons)], "\n")
}

// IsSpent says whether the reason is used up.
func (o Override) IsSpent() bool { return slices.Contains(o.Spent, o.Reason) }

// ObjectName names an object for people, such as "Deployment osthammar/web" or "Namespace osthammar".
func ObjectName(kind, namespace, name string) string {
	if namespace == "" {
		return kind + " " + name
	}
	return kind + " " + namespace + "/" + name
}

// ParseObjectName reads what ObjectName has written.
func ParseObjectName(object string) (kind, namespace, name string) {
	kind, name, _ = strings.Cut(object, " ")
	if before, after, namespaced := strings.Cut(name, "/"); namespaced {
		return kind, before, after
	}
	return kind, "", name
}

// Stands says whether an override lets changes pass at now, as the policies do.
func (o Override) Stands(now time.Time) bool {
	return o.Marked && o.Reason != "" && !o.IsSpent() && now.Before(o.Until)
}
