package evaluate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/policy/generic"
	"k8s.io/apiserver/pkg/admission/plugin/policy/matching"
	"k8s.io/apiserver/pkg/admission/plugin/policy/mutating"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/predicates/rules"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/warning"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/audit"
)

var (
	mutatingSince = version.MajorMinor(1, 36)
	// typedSince: from here on the API server shows CEL the Go types themselves, before it made maps of them.
	typedSince = version.MajorMinor(1, 37)
	// podGenerations: from here on pods have one.
	podGenerations = version.MajorMinor(1, 33)
)

// Server is an API server of some version with policies. It may be asked from several goroutines.
type Server struct {
	version    *version.Version
	validating []validating.PolicyHook
	mutating   []mutating.PolicyHook
}

// New compiles policies for a version of Kubernetes, as "1.30". The errors are those of the expressions that do not compile there; of
// mutating policies only where that version has them.
func New(of string, p *Policies) (*Server, error) {
	v, err := version.ParseMajorMinor(of)
	if err != nil {
		return nil, err
	}
	s := &Server{version: v, validating: make([]validating.PolicyHook, len(p.Validating))}
	errs := make([]error, len(p.Validating)+len(p.Mutating))
	var all sync.WaitGroup
	for i, policy := range p.Validating {
		all.Go(func() {
			validator, failed := compileValidating(v, policy)
			errs[i] = wrap(policy.Name, failed)
			s.validating[i] = validating.PolicyHook{Policy: policy, Evaluator: validator, ParamScope: meta.RESTScopeNamespace}
		})
	}
	if v.AtLeast(mutatingSince) {
		s.mutating = make([]mutating.PolicyHook, len(p.Mutating))
		for i, policy := range p.Mutating {
			all.Go(func() {
				evaluator, failed := compileMutating(v, policy)
				errs[len(p.Validating)+i] = wrap(policy.Name, failed)
				s.mutating[i] = mutating.PolicyHook{Policy: policy, Evaluator: evaluator, ParamScope: meta.RESTScopeNamespace}
			})
		}
	}
	all.Wait()
	s.bind(p)
	return s, errors.Join(errs...)
}

// Compile says which expressions do not compile in the environment of a version, those of mutating policies too.
func Compile(in string, p *Policies) error {
	v, err := version.ParseMajorMinor(in)
	if err != nil {
		return err
	}
	errs := make([]error, 0, len(p.Validating)+len(p.Mutating))
	for _, policy := range p.Validating {
		_, failed := compileValidating(v, policy)
		errs = append(errs, wrap(policy.Name, failed))
	}
	if v.AtLeast(mutatingSince.OffsetMinor(-1)) { // an API server takes new expressions of the version before its own
		for _, policy := range p.Mutating {
			_, failed := compileMutating(v, policy)
			errs = append(errs, wrap(policy.Name, failed))
		}
	}
	return errors.Join(errs...)
}

func wrap(policy string, errs []error) error {
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("%s: %w", policy, errors.Join(errs...))
}

func (s *Server) bind(p *Policies) {
	for i, hook := range s.validating {
		for _, b := range p.ValidatingBindings {
			if b.Spec.PolicyName == hook.Policy.Name {
				s.validating[i].Bindings = append(s.validating[i].Bindings, b)
			}
		}
	}
	for i, hook := range s.mutating {
		for _, b := range p.MutatingBindings {
			if b.Spec.PolicyName == hook.Policy.Name {
				s.mutating[i].Bindings = append(s.mutating[i].Bindings, b)
			}
		}
	}
}

// Evaluate says what becomes of a request: mutations in each order that may matter, twice where they ask for it; then all validations.
func (s *Server) Evaluate(r *Request) Result {
	e := s.begin(r)
	if r.Operation != admission.Delete {
		e.mutate()
	}
	if e.object != nil && !r.Now.IsZero() {
		e.settle()
	}
	e.validate()
	if e.object != nil {
		e.result.Object = Unstructured(e.object)
	}
	return e.result
}

// evaluation is one request on its way.
type evaluation struct {
	*Server
	request     *Request
	object, old runtime.Object
	before      *unstructured.Unstructured // old, as it is stored
	namespace   *corev1.Namespace
	params      params
	matcher     *matching.Matcher
	result      Result
}

func (s *Server) begin(r *Request) *evaluation {
	e := &evaluation{Server: s, request: r}
	in, _ := r.Where()
	e.namespace = r.namespaceObject(in)
	e.matcher = matching.NewMatcher(namespaces{e.namespace}, nil)
	for _, g := range []*v1alpha1.Gate{r.Gate, r.Trial} {
		if g != nil {
			e.params.gates = append(e.params.gates, Unstructured(g))
		}
	}
	object, old := e.stored(r.Object), e.stored(r.Old)
	if object != nil && !r.Now.IsZero() && r.Subresource != "scale" { // which has no time
		Stamp(object, old, r.Now)
	}
	e.object, e.old, e.before = e.shown(object), e.shown(old), old
	return e
}

// stored is a copy of an object as this version would store it; nil for nil.
func (e *evaluation) stored(o runtime.Object) *unstructured.Unstructured {
	if o == nil {
		return nil
	}
	u := Unstructured(o)
	if u == o {
		u = u.DeepCopy()
	}
	u.SetGroupVersionKind(e.request.kind())
	if u.GetKind() == "Pod" && e.version.LessThan(podGenerations) {
		u.SetGeneration(0)
	}
	return u
}

// shown is an object as CEL sees it in this version.
func (e *evaluation) shown(u *unstructured.Unstructured) runtime.Object {
	if u == nil {
		return nil
	}
	if e.version.LessThan(typedSince) {
		return u
	}
	object, err := typed(u, false)
	if err != nil {
		panic(err)
	}
	return object
}

func (e *evaluation) attributes() admission.Attributes {
	r := *e.request
	r.Namespace, r.Name = e.request.Where()
	r.Object, r.Old = e.object, e.old
	return r.Attributes(&user.DefaultInfo{Name: r.User, Groups: r.Groups})
}

// Authorize lets the policies ask for rights.
func (e *evaluation) Authorize(_ context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
	right := Right{a.GetVerb(), a.GetAPIGroup(), a.GetResource(), a.GetSubresource(), a.GetNamespace(), a.GetName()}
	if e.request.Rights != nil && e.request.Rights(right) {
		return authorizer.DecisionAllow, "", nil
	}
	return authorizer.DecisionNoOpinion, "", nil
}

// mutate tries the mutating policies that are about such requests in each order, as the API server knows none.
func (e *evaluation) mutate() {
	attributes := e.attributes()
	var hooks []mutating.PolicyHook
	for _, hook := range e.mutating {
		if about(hook.Policy.Spec.MatchConstraints, attributes) {
			hook.ParamInformer = e.params
			hooks = append(hooks, hook)
		}
	}
	var first runtime.Object
	all := orders(len(hooks))
	if n := len(all); n > 0 && e.request.Order > 0 {
		all = all[e.request.Order%n:][:1]
	}
	for i, order := range all {
		inOrder := make([]mutating.PolicyHook, len(hooks))
		var names []string
		for j, k := range order {
			inOrder[j] = hooks[k]
			names = append(names, hooks[k].Policy.Name)
		}
		object, err := e.mutateIn(inOrder)
		if err != nil {
			e.result.Errors = append(e.result.Errors, err.Error())
			e.result.Denials = append(e.result.Denials, denial("", err))
			return
		}
		if i == 0 {
			first = object
		} else if !equality.Semantic.DeepEqual(first, object) {
			e.result.Errors = append(e.result.Errors, fmt.Sprintf("another order of mutating policies comes to something else: %s",
				strings.Join(names, ", ")))
		}
	}
	if first != nil {
		e.object = first
	}
}

// about says whether a policy has a rule for such requests at all.
func about(match *admissionv1.MatchResources, a admission.Attributes) bool {
	for _, r := range match.ResourceRules {
		m := rules.Matcher{Rule: r.RuleWithOperations, Attr: a}
		if m.Matches() {
			return true
		}
	}
	return false
}

// orders are all of up to three, and of more the one there is and the other way round, begun at every place.
func orders(n int) [][]int {
	var list [][]int
	for begin := range n {
		var there, back []int
		for i := range n {
			there = append(there, (begin+i)%n)
			back = append(back, (begin+n-i)%n)
		}
		list = append(list, there)
		if n > 2 {
			list = append(list, back)
		}
	}
	return list
}

// mutateIn is what comes of the mutating policies in an order, and of their second turn if there is one.
func (e *evaluation) mutateIn(hooks []mutating.PolicyHook) (runtime.Object, error) {
	dispatcher := mutating.NewDispatcher(e, e.matcher, converters{})
	before := e.object
	e.object = before.DeepCopyObject() // the API server writes what comes out into what came in
	attributes := e.attributes()
	e.object = before
	err := dispatcher.Dispatch(context.Background(), attributes, objects{}, hooks)
	if again := attributes.GetReinvocationContext(); err == nil && again.ShouldReinvoke() {
		again.SetIsReinvoke()
		err = dispatcher.Dispatch(context.Background(), attributes, objects{}, hooks)
	}
	return attributes.GetObject(), err
}

// settle does what the API server does between mutation and validation: what is as it was has no new time, and the generation counts.
func (e *evaluation) settle() {
	metadata, err := meta.Accessor(e.object)
	if err != nil {
		panic(err)
	}
	object := Unstructured(e.object)
	if e.before != nil && sameBut(object, e.before, "managedFields", "generation") {
		metadata.SetManagedFields(e.before.GetManagedFields())
	}
	metadata.SetGeneration(generation(object, e.before, e.request.Subresource))
}

// validate asks each policy by itself, as the API server tells of no more than the first that refuses.
func (e *evaluation) validate() {
	dispatcher := validating.NewDispatcher(e, generic.NewPolicyMatcher(e.matcher))
	attributes := e.attributes()
	for _, hook := range e.validating {
		if len(hook.Bindings) == 0 || !about(hook.Policy.Spec.MatchConstraints, attributes) { // which costs less to ask than selectors
			continue
		}
		hook.ParamInformer = e.params
		recorder := &recorder{policy: hook.Policy.Name}
		hook.Evaluator = watched{hook.Evaluator, &e.result}
		err := dispatcher.Dispatch(warning.WithWarningRecorder(context.Background(), recorder), audited{attributes, &e.result}, objects{},
			[]validating.PolicyHook{hook})
		if err != nil {
			d := denial(hook.Policy.Name, err)
			e.result.Denials = append(e.result.Denials, d)
			if strings.Contains(d.Message, "failed to configure") {
				e.result.Errors = append(e.result.Errors, d.Policy+": "+d.Message)
			}
		}
		e.result.Warnings = append(e.result.Warnings, recorder.warnings...)
	}
}

// watched notes what goes wrong in a validation.
type watched struct {
	validating.Validator
	result *Result
}

func (w watched) Validate(ctx context.Context, resource schema.GroupVersionResource, attributes *admission.VersionedAttributes,
	param runtime.Object,
	namespace *corev1.Namespace, budget int64, rights authorizer.UnconditionalAuthorizer,
) validating.ValidateResult {
	result := w.Validator.Validate(ctx, resource, attributes, param, namespace, budget, rights)
	for _, a := range result.AuditAnnotations {
		if a.Error != "" { // which refuses the request, whatever the binding does
			w.result.Errors = append(w.result.Errors, a.Key+": "+a.Error)
		}
	}
	for _, d := range result.Decisions {
		if d.Evaluation == validating.EvalError || strings.HasPrefix(d.Message, fellBack) {
			w.result.Errors = append(w.result.Errors, d.Message)
		}
	}
	return result
}

// audited takes what the API server would write into its audit log.
type audited struct {
	admission.Attributes
	result *Result
}

func (a audited) AddAnnotation(key, value string) error {
	notes, is, err := audit.ReadNote(key, value)
	if err != nil {
		a.result.Errors = append(a.result.Errors, err.Error())
	}
	if is {
		a.result.Notes = append(a.result.Notes, notes...)
		return err
	}
	if key != audit.FailureAnnotation {
		return nil
	}
	failures, err := audit.Failures(value)
	for _, f := range failures {
		a.result.Audited = append(a.result.Audited, Denial{Policy: f.Policy, Message: f.Message})
	}
	return err
}

type recorder struct {
	policy   string
	warnings []Denial
}

func (r *recorder) AddWarning(_, text string) {
	_, text, _ = strings.Cut(text, "': ")
	r.warnings = append(r.warnings, Denial{Policy: r.policy, Message: text})
}

// denial reads what the API server would answer.
func denial(policy string, err error) Denial {
	d := Denial{Policy: policy, Message: err.Error()}
	var status *apierrors.StatusError
	if !errors.As(err, &status) {
		return d
	}
	d.Reason = string(status.ErrStatus.Reason)
	if _, after, found := strings.Cut(d.Message, " denied request: "); found {
		d.Message = after
	}
	return d
}
