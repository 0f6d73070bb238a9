package main

import (
	"errors"
	"fmt"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/util/version"
	plugincel "k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/policy/mutating/patch"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	"k8s.io/apiserver/pkg/cel/environment"

	"fonster.dev/fonster/hack/policygen"
)

// The versions of Kubernetes whose API servers must know every expression: the first with ValidatingAdmissionPolicy v1, the first with
// MutatingAdmissionPolicy v1, and the newest.
const firstValidating, firstMutating, newest = 30, 36, 37

// check type-checks every expression in the environment of every version.
func check(p *policygen.Policies) error {
	var errs []error
	for minor := firstValidating; minor <= newest; minor++ {
		c := &checker{set: environment.MustBaseEnvSet(version.MajorMinor(1, uint(minor)))}
		for _, o := range p.Validating {
			c.start(o.Name, o.Spec.ParamKind != nil)
			c.variables(o.Spec.Variables, true)
			c.conditions(o.Spec.MatchConditions)
			for _, v := range o.Spec.Validations {
				c.compile(&validating.ValidationCondition{Expression: v.Expression}, true)
				if v.MessageExpression != "" {
					c.compile(&validating.MessageExpressionCondition{MessageExpression: v.MessageExpression}, false)
				}
			}
			for _, a := range o.Spec.AuditAnnotations { // evaluated with nobody to ask for rights
				c.compile(&validating.AuditAnnotationCondition{Key: a.Key, ValueExpression: a.ValueExpression}, false)
			}
		}
		for _, o := range p.Mutating {
			if minor < firstMutating {
				break
			}
			c.start(o.Name, o.Spec.ParamKind != nil)
			c.patches = true
			c.variables(o.Spec.Variables, true)
			c.conditions(o.Spec.MatchConditions)
			for _, m := range o.Spec.Mutations {
				c.compile(&patch.JSONPatchCondition{Expression: m.JSONPatch.Expression}, true)
			}
		}
		for _, err := range c.errs {
			errs = append(errs, fmt.Errorf("kubernetes 1.%d: %w", minor, err))
		}
		if len(errs) > 0 {
			break // the newer ones would say the same
		}
	}
	return errors.Join(errs...)
}

type checker struct {
	set      *environment.EnvSet
	compiler *plugincel.CompositedCompiler
	name     string
	params   bool
	patches  bool
	errs     []error
}

func (c *checker) start(name string, params bool) {
	c.name, c.params, c.patches = name, params, false
	var err error
	if c.compiler, err = plugincel.NewCompositedCompiler(c.set); err != nil {
		c.errs = append(c.errs, err)
	}
}

func (c *checker) options(authorizer bool) plugincel.OptionalVariableDeclarations {
	return plugincel.OptionalVariableDeclarations{HasParams: c.params, HasAuthorizer: authorizer, HasPatchTypes: c.patches}
}

func (c *checker) variables(list []admissionv1.Variable, authorizer bool) {
	for _, v := range list {
		result := c.compiler.CompileAndStoreVariable(&validating.Variable{Name: v.Name, Expression: v.Expression}, c.options(authorizer), environment.NewExpressions)
		if result.Error != nil {
			c.errs = append(c.errs, fmt.Errorf("%s: variable %s: %w", c.name, v.Name, result.Error))
		}
	}
}

func (c *checker) conditions(list []admissionv1.MatchCondition) {
	plain := plugincel.NewCompiler(c.set) // without the variables, which match conditions do not have
	for i := range list {
		result := plain.CompileCELExpression((*matchconditions.MatchCondition)(&list[i]), c.options(true), environment.NewExpressions)
		if result.Error != nil {
			c.errs = append(c.errs, fmt.Errorf("%s: match condition: %w", c.name, result.Error))
		}
	}
}

func (c *checker) compile(e plugincel.ExpressionAccessor, authorizer bool) {
	if result := c.compiler.CompileCELExpression(e, c.options(authorizer), environment.NewExpressions); result.Error != nil {
		c.errs = append(c.errs, fmt.Errorf("%s: %w\nin: %s", c.name, result.Error, e.GetExpression()))
	}
}
