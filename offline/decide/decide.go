// Package decide says what windows and freezes would do to a request, at an instant, in a namespace: with the Gates that the operator would
// write, and the policies in the API server's own evaluator.
package decide

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/audit"
	"fonster.dev/fonster/internal/compile"
	"fonster.dev/fonster/internal/gate"
	"fonster.dev/fonster/offline/evaluate"
)

// Version is the Kubernetes whose API server decides.
const Version = "1.37"

// Verdict is what becomes of a request.
type Verdict string

// The verdicts. Audited is a request that passes without a word, and is recorded as what would be refused.
const (
	Allowed Verdict = "Allowed"
	Audited Verdict = "Audited"
	Warned  Verdict = "Warned"
	Held    Verdict = "Held"
	Refused Verdict = "Refused"
	Unknown Verdict = "Unknown"
)

// Verdicts in the order in which they get stricter.
var Verdicts = []Verdict{Allowed, Audited, Warned, Held, Refused, Unknown}

// Decision is a verdict with what is said of it.
type Decision struct {
	Verdict Verdict
	// Why is what the user is told; of what is let through, what lets it.
	Why string
	// Windows and Freezes are those that refuse, hold or warn, or, of what is let through, the windows that are open.
	Windows, Freezes []string
}

// Request is a request with all that a decision rests on.
type Request struct {
	evaluate.Request
	// At is when it is made; Request.Now, which stamps the object, is left to whoever asks.
	At time.Time
	// Labels are those of its namespace, and Annotations too, which may say that an override stands there.
	Labels, Annotations map[string]string
}

// World is windows and freezes, and an API server.
type World struct {
	compiled *compile.Compiled
	server   *evaluate.Server
	exempt   *v1alpha1.GateExempt
}

// Server is an API server with the policies of this version. They are compiled once: it takes some seconds.
var Server = sync.OnceValues(func() (*evaluate.Server, error) {
	policies, err := evaluate.Installed()
	if err != nil {
		return nil, err
	}
	return evaluate.New(Version, policies)
})

// New compiles windows and freezes; exempt may be nil.
func New(windows []v1alpha1.MaintenanceWindow, freezes []v1alpha1.ChangeFreeze, exempt *v1alpha1.GateExempt) (*World, error) {
	s, err := Server()
	if err != nil {
		return nil, err
	}
	return &World{compiled: new(compile.Cache).Compile(windows, freezes), server: s, exempt: exempt}, nil
}

// Keys are the labels of namespaces by which anything selects.
func (w *World) Keys() []string {
	keys := w.compiled.Set.Keys()
	if w.compiled.Trial != nil {
		keys = append(keys, w.compiled.Trial.Keys()...)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// somebody has no rights and no name that any policy knows.
const somebody = "somebody"

// Disruptions lists what a request disrupts, whoever asks; none where it is harmless.
func (w *World) Disruptions(r *Request) ([]v1alpha1.Disruption, error) {
	all := []v1alpha1.Disruption{v1alpha1.Rollout, v1alpha1.ScaleDown, v1alpha1.Delete, v1alpha1.Evict}
	refused := func(of ...v1alpha1.Disruption) (bool, error) {
		asked := r.Request
		asked.User, asked.Groups, asked.Order = somebody, nil, 1
		namespace, _ := asked.Where()
		asked.Gate = &v1alpha1.Gate{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: v1alpha1.GateName, Labels: map[string]string{v1alpha1.RefusesLabel: "true"}},
			Spec:       v1alpha1.GateSpec{Targets: []v1alpha1.GateTarget{{Disruptions: of, Enforcement: v1alpha1.Deny}}},
		}
		asked.NamespaceObject = namespaceObject(namespace, r.Labels, true)
		result, err := w.evaluate(&asked)
		return len(result.Notes) > 0, err
	}
	if any, err := refused(all...); err != nil || !any {
		return nil, err
	}
	var list []v1alpha1.Disruption
	for _, d := range all {
		is, err := refused(d)
		if err != nil {
			return nil, err
		}
		if is {
			list = append(list, d)
		}
	}
	return list, nil
}

// Decide says what becomes of a request. What rests on a right to override, which nobody can know here, is Unknown.
func (w *World) Decide(r *Request) (Decision, error) { return w.DecideWith(r, nil) }

// DecideWith decides where it is known whether the user may override; nil: it is not.
func (w *World) DecideWith(r *Request, mayOverride *bool) (Decision, error) {
	asked := r.Request
	asked.Order = 1
	namespace, _ := asked.Where()
	if w.compiled.Operator.Protected(namespace) {
		return Decision{Verdict: Allowed, Why: "nothing is governed in " + namespace}, nil
	}
	governing, auditing := w.compiled.Set.Of(r.Labels), w.compiled.Auditing(r.Labels)
	if governing == nil && auditing == nil {
		return Decision{Verdict: Allowed, Why: "no window and no freeze governs the namespace " + namespace}, nil
	}
	if governing != nil {
		asked.Gate = compile.Gate(namespace, governing.At(r.At), w.compiled.Set.Keys(), w.exempt, true, nil)
	}
	if auditing != nil {
		asked.Trial = w.compiled.AuditGate(auditing, w.exempt, r.At)
		asked.Trial.Namespace = namespace
	}
	asked.NamespaceObject = namespaceObject(namespace, r.Labels, true)
	asked.NamespaceObject.Annotations = r.Annotations
	if mayOverride != nil {
		asked.Rights = func(evaluate.Right) bool { return *mayOverride }
		return w.answer(&asked, r, governing)
	}
	rightsMatter := false
	asked.Rights = func(evaluate.Right) bool { rightsMatter = true; return false }
	decision, err := w.answer(&asked, r, governing)
	if err != nil || !rightsMatter {
		return decision, err
	}
	asked.Rights = func(evaluate.Right) bool { return true }
	privileged, err := w.answer(&asked, r, governing)
	if err == nil && privileged.Verdict != decision.Verdict {
		decision.Why = fmt.Sprintf("%s with the right to override, %s without it, and whether %s had it nobody can tell here", privileged.Verdict, decision.Verdict, r.User)
		decision.Verdict = Unknown
	}
	return decision, err
}

func (w *World) answer(asked *evaluate.Request, r *Request, governing *gate.Governing) (Decision, error) {
	result, err := w.evaluate(asked)
	if err != nil {
		return Decision{}, err
	}
	wasHeld := asked.Old != nil && evaluate.Unstructured(asked.Old).GetLabels()[v1alpha1.HeldLabel] == v1alpha1.HeldWaiting
	isHeld := result.Object != nil && result.Object.GetLabels()[v1alpha1.HeldLabel] == v1alpha1.HeldWaiting
	switch {
	case len(result.Denials) > 0:
		return said(Refused, result.Denials, result.Notes), nil
	case isHeld:
		d := said(Held, result.Warnings, result.Notes)
		if len(d.Windows) == 0 {
			d.Windows = w.governs(r, v1alpha1.Rollout, governing)
		}
		if d.Why == "" && wasHeld {
			d.Why = "it is held already"
		}
		return d, nil
	case len(result.Warnings) > 0:
		return said(Warned, result.Warnings, result.Notes), nil
	case len(result.Audited) > 0:
		return said(Audited, result.Audited, result.Notes), nil
	}
	return Decision{Verdict: Allowed}, nil
}

// evaluate turns a panic of the evaluator, which takes nothing that is misshapen, into an error.
func (w *World) evaluate(r *evaluate.Request) (result evaluate.Result, err error) {
	defer func() {
		if problem := recover(); problem != nil {
			err = fmt.Errorf("the objects of the request cannot be read: %v", problem)
		}
	}()
	result = w.server.Evaluate(r)
	if len(result.Errors) > 0 {
		return result, fmt.Errorf("the policies could not be evaluated: %s", strings.Join(result.Errors, "; "))
	}
	return result, nil
}

// Passing says of a disruptive request that is allowed what lets it pass.
func (w *World) Passing(r *Request, disruptions []v1alpha1.Disruption) Decision {
	d := Decision{Verdict: Allowed}
	asked := *r
	asked.User, asked.Groups = somebody, nil
	if other, err := w.Decide(&asked); err == nil && other.Verdict != Allowed && r.User != somebody {
		d.Why = r.User + " always passes"
		return d
	}
	governing := w.compiled.Set.Of(r.Labels)
	if governing == nil {
		d.Why = "no window and no freeze governs it"
		return d
	}
	for _, disruption := range disruptions {
		d.Windows = append(d.Windows, w.open(r, disruption, governing)...)
	}
	slices.Sort(d.Windows)
	d.Windows = slices.Compact(d.Windows)
	if len(d.Windows) == 0 {
		d.Why = "no window and no freeze governs it"
	} else {
		d.Why = "open: " + strings.Join(d.Windows, ", ")
	}
	return d
}

// governs lists the windows that may govern a request.
func (w *World) governs(r *Request, d v1alpha1.Disruption, governing *gate.Governing) (names []string) {
	for _, window := range windowsOf(r, d, governing) {
		if window.Enforcement != gate.Warn {
			names = append(names, window.Name)
		}
	}
	return names
}

func (w *World) open(r *Request, d v1alpha1.Disruption, governing *gate.Governing) (names []string) {
	for _, window := range windowsOf(r, d, governing) {
		if window.Schedule != nil && window.Schedule.State(r.At).Accepting {
			names = append(names, window.Name)
		}
	}
	return names
}

func windowsOf(r *Request, d v1alpha1.Disruption, governing *gate.Governing) (list []*gate.Window) {
	if governing == nil {
		return nil
	}
	var labels map[string]string
	known := false
	for _, o := range []runtime.Object{r.Old, r.Object} {
		if o != nil && r.Subresource == "" {
			labels, known = evaluate.Unstructured(o).GetLabels(), true
			break
		}
	}
	for _, window := range governing.Windows {
		if slices.Contains(window.Disruptions, gate.Disruption(d)) && (!known || window.Target.Objects.Matches(labels)) {
			list = append(list, window)
		}
	}
	return list
}

// said is a verdict with what the API server says first, and with the windows and freezes that its policies note. Of a freeze that refuses
// people are told alone.
func said(v Verdict, list []evaluate.Denial, notes []audit.Note) Decision {
	d := Decision{Verdict: v}
	of := v1alpha1.GateName
	if v == Audited {
		of = v1alpha1.AuditGateName
	}
	for i, s := range list {
		if i == 0 {
			d.Why = s.Message
		}
		by := func(freezes bool) (names []string) {
			for _, n := range notes {
				if n.Policy == s.Policy && n.Gate == of && n.Freezes == freezes {
					names = append(names, n.Names...)
				}
			}
			return names
		}
		frozen := by(true)
		d.Freezes = append(d.Freezes, frozen...)
		if v != Refused || len(frozen) == 0 {
			d.Windows = append(d.Windows, by(false)...)
		}
	}
	slices.Sort(d.Windows)
	slices.Sort(d.Freezes)
	d.Windows, d.Freezes = slices.Compact(d.Windows), slices.Compact(d.Freezes)
	return d
}

// namespaceObject is a namespace as the API server has it: with its name as a label, and the operator's where it has a Gate.
func namespaceObject(name string, labels map[string]string, gated bool) *corev1.Namespace {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{}}}
	for k, v := range labels {
		ns.Labels[k] = v
	}
	ns.Labels[corev1.LabelMetadataName] = name
	delete(ns.Labels, v1alpha1.GatedLabel)
	if gated {
		ns.Labels[v1alpha1.GatedLabel] = "true"
	}
	return ns
}
