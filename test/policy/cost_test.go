package policy

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/admission"
	plugincel "k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/policy/mutating/patch"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/predicates/rules"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/cel/environment"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/offline/evaluate"
)

const (
	// callShare is the part of a call's limit that any expression or variable may use: the evaluator ends one that uses more. A question
	// for a right is priced at 0.35 of the limit, so there is room for one in each.
	callShare = 0.5
	// share is the part of the limit of a policy, or of its match conditions, that a request may use; with the questions for rights that an
	// override brings, more, and never over rightsShare.
	share       = 0.5
	rightsShare = 0.9
	// oneRight is what a question for a right takes of the limit of a policy.
	oneRight = 0.035
)

// TestCost holds every expression of the policies against the API server's limits, with the largest objects and Gates that it lets in.
func TestCost(t *testing.T) {
	p, err := policies()
	if err != nil {
		t.Fatal(err)
	}
	requests := largestRequests()
	for _, policy := range p.Validating {
		t.Run(policy.Name, func(t *testing.T) {
			t.Parallel()
			c := newMeter(t, policy.Spec.ParamKind != nil, policy.Spec.Variables, policy.Spec.MatchConditions)
			c.validations(t, policy.Spec.Validations)
			c.annotations(policy.Spec.AuditAnnotations)
			c.measure(t, policy.Spec.MatchConstraints, requests)
		})
	}
	for _, policy := range p.Mutating {
		t.Run(policy.Name, func(t *testing.T) {
			t.Parallel()
			c := newMeter(t, policy.Spec.ParamKind != nil, policy.Spec.Variables, policy.Spec.MatchConditions)
			c.mutations(t, policy.Spec.Mutations)
			c.measure(t, policy.Spec.MatchConstraints, requests)
		})
	}
}

// meter measures what the expressions of one policy cost.
type meter struct {
	compiler            *plugincel.CompositedCompiler
	options             plugincel.OptionalVariableDeclarations
	matching            plugincel.ConditionEvaluator
	conditions, message plugincel.ConditionEvaluator
	notes               plugincel.ConditionEvaluator
	patches             []plugincel.MutatingEvaluator
}

func newMeter(t *testing.T, hasParams bool, variables []admissionv1.Variable, conditions []admissionv1.MatchCondition) *meter {
	t.Helper()
	newest := version.MajorMinor(1, 37)
	limited, err := environment.MustBaseEnvSet(newest).Extend(environment.VersionedOptions{
		IntroducedVersion: version.MajorMinor(1, 0), ProgramOptions: []cel.ProgramOption{cel.CostLimit(uint64(callShare * celconfig.PerCallLimit))},
	})
	if err != nil {
		t.Fatal(err)
	}
	m := &meter{options: plugincel.OptionalVariableDeclarations{HasParams: hasParams, HasAuthorizer: true}}
	if m.compiler, err = plugincel.NewCompositedCompiler(limited); err != nil {
		t.Fatal(err)
	}
	for _, v := range variables {
		m.compiler.CompileAndStoreVariable(&validating.Variable{Name: v.Name, Expression: v.Expression}, m.options,
			environment.NewExpressions)
	}
	list := make([]plugincel.ExpressionAccessor, len(conditions))
	for i := range conditions {
		list[i] = (*matchconditions.MatchCondition)(&conditions[i])
	}
	m.matching = m.compiler.CompileCondition(list, m.options, environment.NewExpressions)
	return m
}

func (m *meter) validations(t *testing.T, validations []admissionv1.Validation) {
	t.Helper()
	conditions, messages := make([]plugincel.ExpressionAccessor, len(validations)), make([]plugincel.ExpressionAccessor, len(validations))
	for i, v := range validations {
		conditions[i] = &validating.ValidationCondition{Expression: v.Expression}
		if v.MessageExpression != "" {
			messages[i] = &validating.MessageExpressionCondition{MessageExpression: v.MessageExpression}
		}
	}
	withoutRights := m.options
	withoutRights.HasAuthorizer = false
	m.conditions = m.compiler.CompileCondition(conditions, m.options, environment.NewExpressions)
	m.message = m.compiler.CompileCondition(messages, withoutRights, environment.NewExpressions)
}

// annotations are evaluated with nobody to ask for rights, and within a limit of their own.
func (m *meter) annotations(annotations []admissionv1.AuditAnnotation) {
	notes := make([]plugincel.ExpressionAccessor, len(annotations))
	for i, a := range annotations {
		notes[i] = &validating.AuditAnnotationCondition{Key: a.Key, ValueExpression: a.ValueExpression}
	}
	withoutRights := m.options
	withoutRights.HasAuthorizer = false
	m.notes = m.compiler.CompileCondition(notes, withoutRights, environment.NewExpressions)
}

func (m *meter) mutations(t *testing.T, mutations []admissionv1.Mutation) {
	t.Helper()
	options := m.options
	options.HasPatchTypes = true
	for _, mutation := range mutations {
		m.patches = append(m.patches, m.compiler.CompileMutatingEvaluator(&patch.JSONPatchCondition{Expression: mutation.JSONPatch.Expression}, options, environment.NewExpressions))
	}
}

// measure makes the largest requests that the policy has a rule for, in front of each of the largest Gates.
func (m *meter) measure(t *testing.T, match *admissionv1.MatchResources, requests []evaluate.Request) {
	t.Helper()
	gates := map[string]runtime.Object{"no Gate": nil}
	if m.options.HasParams {
		gates = largestGates()
	}
	var most, mostMatching, mostNoting float64
	mostRights := 0
	visited := false
	for _, r := range requests {
		attributes := attributesOf(r)
		about := slices.ContainsFunc(match.ResourceRules, func(rule admissionv1.NamedRuleWithOperations) bool {
			return (&rules.Matcher{Rule: rule.RuleWithOperations, Attr: attributes}).Matches()
		})
		if !about || len(m.patches) > 0 && r.Operation == admission.Delete {
			continue
		}
		visited = true
		for name, gate := range gates {
			for _, rights := range rightsFor(r) {
				title := fmt.Sprintf("%s %s/%s, %s, by who has a right on %s", r.Operation, r.Resource, r.Subresource, name, rights)
				asked := &asked{of: rights, rights: map[string]bool{}}
				in := input{attributes: attributes, bindings: plugincel.OptionalVariableBindings{Authorizer: asked, VersionedParams: gate}}
				matching, noting, all := m.cost(t, title, in)
				most, mostMatching, mostRights = max(most, all), max(mostMatching, matching), max(mostRights, len(asked.rights))
				mostNoting = max(mostNoting, noting)
				if all > share+float64(len(asked.rights))*oneRight {
					t.Errorf("%s uses %.0f %% of the limit, and asks for %d rights", title, 100*all, len(asked.rights))
				}
			}
		}
	}
	if !visited {
		t.Error("no request is large enough for it: none is made")
	}
	t.Logf("match conditions at most %.0f %% of their limit, audit annotations %.0f %% of theirs, the rest %.0f %%; at most %d rights are asked for",
		100*mostMatching, 100*mostNoting, 100*most, mostRights)
	if mostNoting > share {
		t.Errorf("the audit annotations use %.0f %% of their limit", 100*mostNoting)
	}
	if mostMatching > share {
		t.Errorf("the match conditions use %.0f %% of their limit", 100*mostMatching)
	}
	if most > rightsShare {
		t.Errorf("the policy uses %.0f %% of its limit", 100*most)
	}
}

type input struct {
	attributes *admission.VersionedAttributes
	bindings   plugincel.OptionalVariableBindings
}

// cost says what parts of their limits the match conditions, the audit annotations and all the rest use.
func (m *meter) cost(t *testing.T, title string, in input) (matching, noting, rest float64) {
	t.Helper()
	spent := func(budget, remaining int64, err error) float64 {
		if err != nil {
			t.Errorf("%s: %v", title, err)
			return 1
		}
		return float64(budget-remaining) / float64(budget)
	}
	request := plugincel.CreateAdmissionRequest(in.attributes.Attributes, metav1.GroupVersionResource(in.attributes.GetResource()),
		metav1.GroupVersionKind(in.attributes.VersionedKind))
	ns := plugincel.CreateNamespaceObject(largestNamespace())
	matches := true
	of := func(c plugincel.ConditionEvaluator, bindings plugincel.OptionalVariableBindings, budget int64, messages bool) float64 {
		results, remaining, err := c.ForInput(context.Background(), in.attributes, request, bindings, ns, budget)
		for _, r := range results {
			if r.Error != nil && !messages { // a message is made whether it is needed or not; where it is not, it may fail
				t.Errorf("%s: %.1500s", title, r.Error)
			}
			matches = matches && r.EvalResult != types.False
		}
		return spent(budget, remaining, err)
	}
	matching = of(m.matching, in.bindings, celconfig.RuntimeCELCostBudgetMatchConditions, false)
	if !matches {
		return matching, 0, 0
	}
	if m.conditions != nil {
		rest = of(m.conditions, in.bindings, celconfig.RuntimeCELCostBudget, false)
		withoutRights := in.bindings
		withoutRights.Authorizer = nil
		rest += of(m.message, withoutRights, celconfig.RuntimeCELCostBudget, true)
		noting = of(m.notes, withoutRights, celconfig.RuntimeCELCostBudget, false)
	}
	for _, p := range m.patches {
		ctx := m.compiler.CreateContext(context.Background())
		result, remaining, err := p.ForInput(ctx, in.attributes, request, in.bindings, ns, celconfig.RuntimeCELCostBudget)
		if result.Error != nil {
			t.Errorf("%s: %.1500s", title, result.Error)
		}
		rest += spent(celconfig.RuntimeCELCostBudget, remaining, err)
	}
	return matching, noting, rest
}

// rightsFor are those that a request may be asked for: only who sets an override, or acts under one, is asked.
func rightsFor(r evaluate.Request) []rightOf {
	for _, o := range []runtime.Object{r.Object, r.Old} {
		if o != nil && o.(metav1.Object).GetAnnotations()[v1alpha1.OverrideAnnotation] != "" {
			return []rightOf{"nothing", "changefreezes", "maintenancewindows"}
		}
	}
	return []rightOf{"nothing"}
}

// largestGates are made once.
var largestGates = sync.OnceValue(func() map[string]runtime.Object {
	gates := map[string]runtime.Object{}
	for name, size := range sizes {
		gates[name] = evaluate.AsMap{Unstructured: evaluate.Unstructured(largestGate(size))}
	}
	return gates
})

// rightOf is what somebody may override: whoever has no right, or not all, is asked for the most.
type rightOf string

// asked notes which rights are asked for.
type asked struct {
	of     rightOf
	rights map[string]bool
}

func (r *asked) Authorize(_ context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
	r.rights[a.GetResource()+"/"+a.GetName()] = true
	if a.GetResource() == string(r.of) {
		return authorizer.DecisionAllow, "", nil
	}
	return authorizer.DecisionNoOpinion, "", nil
}

func attributesOf(r evaluate.Request) *admission.VersionedAttributes {
	record := r.Attributes(&user.DefaultInfo{Name: "developer", Groups: manyGroups()})
	return &admission.VersionedAttributes{
		Attributes: record, VersionedKind: record.GetKind(), VersionedObject: admission.NewLazyObject(r.Object),
		VersionedOldObject: admission.NewLazyObject(r.Old),
	}
}

func manyGroups() []string {
	groups := []string{"system:masters"}
	for i := range 100 {
		groups = append(groups, fmt.Sprintf("group-%03d", i))
	}
	return groups
}
