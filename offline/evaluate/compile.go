package evaluate

import (
	"fmt"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/policy/mutating"
	"k8s.io/apiserver/pkg/admission/plugin/policy/mutating/patch"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	"k8s.io/apiserver/pkg/cel/environment"
)

// fellBack begins a message where the message expression has failed. The API server says nothing of that.
const fellBack = "the message expression failed: "

// compiler compiles the expressions of one policy. The API server lets somebody write an expression that compiles in the environment of
// new expressions; what is stored already it compiles with everything it knows, so that would be no test.
type compiler struct {
	*cel.CompositedCompiler
	options cel.OptionalVariableDeclarations
	errors  []error
}

func newCompiler(v *version.Version, hasParams bool) *compiler {
	composited, err := cel.NewCompositedCompiler(environment.MustBaseEnvSet(v))
	if err != nil {
		panic(err) // the API server's own environment
	}
	return &compiler{CompositedCompiler: composited, options: cel.OptionalVariableDeclarations{HasParams: hasParams, HasAuthorizer: true}}
}

func (c *compiler) failed(what string, errs ...error) {
	for _, err := range errs {
		c.errors = append(c.errors, fmt.Errorf("%s: %w", what, err))
	}
}

func (c *compiler) variables(variables []admissionv1.Variable) {
	for _, v := range variables {
		result := c.CompileAndStoreVariable(&validating.Variable{Name: v.Name, Expression: v.Expression}, c.options,
			environment.NewExpressions)
		if result.Error != nil {
			c.failed("variable "+v.Name, result.Error)
		}
	}
}

func (c *compiler) conditions(what string, list []cel.ExpressionAccessor, options cel.OptionalVariableDeclarations) cel.ConditionEvaluator {
	condition := c.CompileCondition(list, options, environment.NewExpressions)
	c.failed(what, condition.CompilationErrors()...)
	return condition
}

func (c *compiler) matcher(policy string, conditions []admissionv1.MatchCondition,
	failure *admissionv1.FailurePolicyType) matchconditions.Matcher {
	if len(conditions) == 0 {
		return nil
	}
	list := make([]cel.ExpressionAccessor, len(conditions))
	for i := range conditions {
		list[i] = (*matchconditions.MatchCondition)(&conditions[i])
	}
	return matchconditions.NewMatcher(c.conditions("match condition", list, c.options), failure, "policy", "validate", policy)
}

// compileValidating does what the API server does with a policy when it first sees it.
func compileValidating(v *version.Version, p *admissionv1.ValidatingAdmissionPolicy) (validating.Validator, []error) {
	c := newCompiler(v, p.Spec.ParamKind != nil)
	c.variables(p.Spec.Variables)
	matcher := c.matcher(p.Name, p.Spec.MatchConditions, p.Spec.FailurePolicy)
	conditions := make([]cel.ExpressionAccessor, len(p.Spec.Validations))
	messages := make([]cel.ExpressionAccessor, len(p.Spec.Validations))
	for i, validation := range p.Spec.Validations {
		conditions[i] = &validating.ValidationCondition{Expression: validation.Expression, Message: validation.Message,
			Reason: validation.Reason}
		if validation.MessageExpression != "" {
			conditions[i].(*validating.ValidationCondition).Message = fellBack + validation.Message
			messages[i] = &validating.MessageExpressionCondition{MessageExpression: validation.MessageExpression}
		}
	}
	annotations := make([]cel.ExpressionAccessor, len(p.Spec.AuditAnnotations))
	for i, a := range p.Spec.AuditAnnotations {
		annotations[i] = &validating.AuditAnnotationCondition{Key: a.Key, ValueExpression: a.ValueExpression}
	}
	withoutRights := c.options
	withoutRights.HasAuthorizer = false
	validator := validating.NewValidator(
		c.conditions("validation", conditions, c.options), matcher, c.conditions("audit annotation", annotations, withoutRights),
		c.conditions("message", messages, withoutRights), p.Spec.FailurePolicy, nil)
	return validator, c.errors
}

func compileMutating(v *version.Version, p *admissionv1.MutatingAdmissionPolicy) (mutating.PolicyEvaluator, []error) {
	c := newCompiler(v, p.Spec.ParamKind != nil)
	c.variables(p.Spec.Variables)
	evaluator := mutating.PolicyEvaluator{CompositedCompiler: c.CompositedCompiler}
	evaluator.Matcher = c.matcher(p.Name, p.Spec.MatchConditions, p.Spec.FailurePolicy)
	options := c.options
	options.HasPatchTypes = true
	for _, m := range p.Spec.Mutations {
		var accessor cel.ExpressionAccessor
		if m.JSONPatch != nil {
			accessor = &patch.JSONPatchCondition{Expression: m.JSONPatch.Expression}
		} else {
			accessor = &patch.ApplyConfigurationCondition{Expression: m.ApplyConfiguration.Expression}
		}
		compiled := c.CompileMutatingEvaluator(accessor, options, environment.NewExpressions)
		c.failed("mutation", compiled.CompilationErrors()...)
		if m.JSONPatch != nil {
			evaluator.Mutators = append(evaluator.Mutators, patch.NewJSONPatcher(compiled))
		} else {
			evaluator.Mutators = append(evaluator.Mutators, patch.NewApplyConfigurationPatcher(compiled))
		}
	}
	return evaluator, c.errors
}
