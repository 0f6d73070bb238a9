// Package cost holds every expression of the policies against the API server's limits, with the largest objects that it lets
// in, in the API server's own evaluator.
package cost

import (
	"context"
	"fmt"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/cel/environment"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/doors"
)

const (
	// share is the part of a limit that the expressions of a policy may use, somewhat more than they do; the evaluator itself
	// ends a call that goes over its limit.
	share = 0.35
	// rights is what a request with an override adds to all: it asks for a right on each of eight windows. One is priced at
	// 0.35 of a call's limit, a tenth of that of all, and asked for in a call of its own.
	rights = 8 * 0.035
)

// request is one request with the largest objects.
type request struct {
	name        string
	policy      string // the family, or the whole name of a guard
	gvk         schema.GroupVersionKind
	resource    string
	subresource string
	operation   admission.Operation
	object, old runtime.Object
}

func TestCost(t *testing.T) {
	for title, size := range overlaps {
		t.Run(title, func(t *testing.T) { testCost(t, largestGate(size)) })
	}
}

// TestCostOfRights: a request that asks for every right there is to ask for, of windows and of freezes, stays below the limit.
func TestCostOfRights(t *testing.T) {
	for title, size := range overlaps {
		gate := largestGate(size)
		for i := range gate.Spec.Disruptions {
			f := &gate.Spec.Disruptions[i].Freezes[0]
			f.Active, f.StartsAt, f.Overridable = true, nil, true
			for j := range 2 {
				f.Also = append(f.Also, fmt.Sprintf("%s-%d", strings.Repeat("f", 250), j))
			}
		}
		governed := largestNamespace()
		for _, r := range requests() {
			if r.name != "UPDATE namespaces/ with an override" && r.name != "UPDATE deployments/ with an override" {
				continue
			}
			if r.resource == "namespaces" { // it leaves the gate, which is every disruption at once
				left := r.object.(*corev1.Namespace).DeepCopy()
				left.Labels["k0"] = "other"
				r.object, r.old = left, governed
			}
			for _, p := range doors.Policies() {
				if p.Name != r.policy && p.Name != "fonster-"+r.policy+"-deny" {
					continue
				}
				t.Run(title+"/"+r.name, func(t *testing.T) {
					asked = map[string]bool{}
					_, validating := evaluate(t, p, r, gate)
					t.Logf("%d rights, %.2f %% of all", len(asked), percent(validating.total, celconfig.RuntimeCELCostBudget))
					if validating.total > celconfig.RuntimeCELCostBudget*9/10 {
						t.Errorf("the validations cost %d", validating.total)
					}
					if r.resource == "namespaces" && len(asked) != 8+3 {
						t.Errorf("asked for %d rights, want eight of windows and three of freezes", len(asked))
					}
				})
			}
		}
	}
}

func testCost(t *testing.T, gate *v1alpha1.Gate) {
	visited := map[string]bool{}
	for _, r := range requests() {
		for _, p := range append(doors.Policies(), mutating()...) {
			if p.Name != r.policy && !strings.HasPrefix(p.Name, "fonster-"+r.policy+"-") {
				continue
			}
			visited[p.Name] = true
			t.Run(r.name+"/"+p.Name, func(t *testing.T) {
				var param runtime.Object
				if p.Spec.ParamKind != nil {
					param = gate
				}
				if strings.HasPrefix(p.Name, "fonster-hold") {
					param = enforcing(gate, v1alpha1.Hold)
				}
				if strings.HasSuffix(p.Name, "-warn") && !strings.HasPrefix(p.Name, "fonster-hold") {
					param = enforcing(gate, v1alpha1.Warn)
				}
				matching, validating := evaluate(t, p, r, param)
				t.Logf("condition %.2f %% of its limit, validations %.2f %% of a call's, %.2f %% of all", percent(matching.total, celconfig.RuntimeCELCostBudgetMatchConditions),
					percent(validating.call, celconfig.PerCallLimit), percent(validating.total, celconfig.RuntimeCELCostBudget))
				if float64(matching.total) > share*celconfig.RuntimeCELCostBudgetMatchConditions || float64(matching.call) > share*celconfig.PerCallLimit {
					t.Errorf("the match condition costs %d", matching.total)
				}
				all := share
				if r.asksForRights() {
					all += rights
				}
				if float64(validating.total) > all*celconfig.RuntimeCELCostBudget || !r.asksForRights() && float64(validating.call) > share*celconfig.PerCallLimit {
					t.Errorf("the validations cost %d, one of them with its variables %d", validating.total, validating.call)
				}
			})
		}
	}
	for _, p := range append(doors.Policies(), mutating()...) {
		if !visited[p.Name] {
			t.Errorf("no request visits %s", p.Name)
		}
	}
}

// mutating stands in for the mutating policies that read a gate, or are asked with every update: the evaluator, the conditions
// and the variables are the same. What they write is cheap, and depends on no gate.
func mutating() []*admissionv1.ValidatingAdmissionPolicy {
	var list []*admissionv1.ValidatingAdmissionPolicy
	for _, m := range doors.MutatingPolicies() {
		p := &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: m.Name}}
		p.Spec.ParamKind, p.Spec.MatchConditions = m.Spec.ParamKind, m.Spec.MatchConditions
		for _, v := range m.Spec.Variables {
			p.Spec.Variables = append(p.Spec.Variables, admissionv1.Variable(v))
			p.Spec.Validations = append(p.Spec.Validations, admissionv1.Validation{Expression: "dyn(variables." + v.Name + ") != 'never'"})
		}
		list = append(list, p)
	}
	return list
}

func (r request) asksForRights() bool { return strings.Contains(r.name, "override") }

func percent(cost int64, limit float64) float64 { return 100 * float64(cost) / limit }

// cost of a set of expressions: of the most expensive one with the variables that it uses, and of all.
type cost struct{ call, total int64 }

// evaluate returns what the match conditions cost, and the validations with their messages.
func evaluate(t *testing.T, p *admissionv1.ValidatingAdmissionPolicy, r request, param runtime.Object) (matching, validations cost) {
	t.Helper()
	compiler, err := cel.NewCompositedCompiler(environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()))
	if err != nil {
		t.Fatal(err)
	}
	options := cel.OptionalVariableDeclarations{HasParams: param != nil, HasAuthorizer: true}
	var variables []cel.NamedExpressionAccessor
	for i := range p.Spec.Variables {
		variables = append(variables, &validating.Variable{Name: p.Spec.Variables[i].Name, Expression: p.Spec.Variables[i].Expression})
	}
	compiler.CompileAndStoreVariables(variables, options, environment.StoredExpressions)
	for i := range p.Spec.MatchConditions {
		c := run(t, compiler, (*matchconditions.MatchCondition)(&p.Spec.MatchConditions[i]), options, r, param, celconfig.RuntimeCELCostBudgetMatchConditions)
		matching.call, matching.total = max(matching.call, c), matching.total+c
	}
	withoutAuthorizer := options
	withoutAuthorizer.HasAuthorizer = false
	for _, v := range p.Spec.Validations {
		c := run(t, compiler, &validating.ValidationCondition{Expression: v.Expression}, options, r, param, celconfig.RuntimeCELCostBudget)
		validations.call, validations.total = max(validations.call, c), validations.total+c
		if v.MessageExpression != "" {
			c := run(t, compiler, &validating.MessageExpressionCondition{MessageExpression: v.MessageExpression}, withoutAuthorizer, r, param, celconfig.RuntimeCELCostBudget)
			validations.call, validations.total = max(validations.call, c), validations.total+c
		}
	}
	return matching, validations
}

// run evaluates one expression with the variables that it uses, and returns what that cost.
func run(t *testing.T, compiler *cel.CompositedCompiler, expression cel.ExpressionAccessor, options cel.OptionalVariableDeclarations, r request, param runtime.Object, budget int64) int64 {
	t.Helper()
	condition := compiler.CompileCondition([]cel.ExpressionAccessor{expression}, options, environment.StoredExpressions)
	if errs := condition.CompilationErrors(); len(errs) > 0 {
		t.Fatal(errs)
	}
	attributes := &admission.VersionedAttributes{
		Attributes: admission.NewAttributesRecord(r.object, r.old, r.gvk, "team", "web", schema.GroupVersionResource{Group: r.gvk.Group, Version: "v1", Resource: r.resource},
			r.subresource, r.operation, nil, false, &user.DefaultInfo{Name: "developer", Groups: manyGroups()}),
		VersionedKind: r.gvk, VersionedObject: admission.NewLazyObject(r.object), VersionedOldObject: admission.NewLazyObject(r.old),
	}
	admissionRequest := cel.CreateAdmissionRequest(attributes, metav1.GroupVersionResource{Group: r.gvk.Group, Version: "v1", Resource: r.resource}, metav1.GroupVersionKind(r.gvk))
	bindings := cel.OptionalVariableBindings{VersionedParams: param, Authorizer: nobody{}}
	results, remaining, err := condition.ForInput(context.Background(), attributes, admissionRequest, bindings, cel.CreateNamespaceObject(largestNamespace()), budget)
	if err != nil {
		t.Fatalf("%s: %v", expression.GetExpression(), err)
	}
	// A message is made whether it is needed or not; where it is not, it may fail.
	if _, message := expression.(*validating.MessageExpressionCondition); !message && results[0].Error != nil {
		t.Fatalf("%s: %v", expression.GetExpression(), results[0].Error)
	}
	return budget - remaining
}

// nobody has no right to override a window, and every right to override a freeze: every way to pass is tried, to the end.
type nobody struct{}

// asked are the rights that were asked for.
var asked = map[string]bool{}

func (nobody) Authorize(_ context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
	asked[a.GetResource()+"/"+a.GetName()] = true
	if a.GetResource() == "changefreezes" {
		return authorizer.DecisionAllow, "", nil
	}
	return authorizer.DecisionNoOpinion, "", nil
}

func manyGroups() []string {
	groups := []string{"system:masters"}
	for i := range 100 {
		groups = append(groups, fmt.Sprintf("group-%03d", i))
	}
	return groups
}
