// Package crds tries objects as the API server does by the CRDs of Fonster, without one.
package crds

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/install"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	crdvalidation "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"

	"fonster.dev/fonster/config"
)

// Kind validates the objects of one kind.
type Kind struct {
	structural *schema.Structural
	validator  validation.SchemaValidator
	rules      *cel.Validator
}

// Kinds reads the CRDs of this version. What the API server would refuse of them, such as rules that may cost too much, is an error.
func Kinds(ctx context.Context) (map[string]Kind, error) {
	scheme := runtime.NewScheme()
	install.Install(scheme)
	files, err := fs.Glob(config.Installed, "crd/bases/*.yaml")
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no CRDs: %w", err)
	}
	all := map[string]Kind{}
	for _, file := range files {
		content, err := fs.ReadFile(config.Installed, file)
		if err != nil {
			return nil, err
		}
		name, kind, err := read(ctx, scheme, content)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all[name] = kind
	}
	return all, nil
}

func read(ctx context.Context, scheme *runtime.Scheme, content []byte) (string, Kind, error) {
	var v1 apiextensionsv1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(content, &v1); err != nil {
		return "", Kind{}, err
	}
	scheme.Default(&v1)
	var crd apiextensions.CustomResourceDefinition
	if err := scheme.Convert(&v1, &crd, nil); err != nil {
		return "", Kind{}, err
	}
	crd.Status.StoredVersions = []string{"v1alpha1"}
	if errs := crdvalidation.ValidateCustomResourceDefinition(ctx, &crd); len(errs) > 0 {
		return "", Kind{}, errs.ToAggregate()
	}
	props := crd.Spec.Versions[0].Schema
	if props == nil {
		props = crd.Spec.Validation
	}
	structural, err := schema.NewStructural(props.OpenAPIV3Schema)
	validator, _, invalid := validation.NewSchemaValidator(props.OpenAPIV3Schema)
	if err := errors.Join(err, invalid); err != nil {
		return "", Kind{}, err
	}
	return crd.Spec.Names.Kind, Kind{structural, validator, cel.NewValidator(structural, true, celconfig.PerCallLimit)}, nil
}

// Validate is what the API server says of an object, which gets its defaults. Rules are not asked of what has the wrong form.
func (k Kind) Validate(ctx context.Context, object map[string]any) field.ErrorList {
	defaulting.Default(object, k.structural)
	errs := validation.ValidateCustomResource(nil, object, k.validator)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, k.structural, object)...)
	for _, err := range errs {
		switch err.Type {
		case field.ErrorTypeRequired, field.ErrorTypeTooLong, field.ErrorTypeTooMany, field.ErrorTypeTypeInvalid, field.ErrorTypeNotSupported:
			return errs
		}
	}
	more, _ := k.rules.Validate(ctx, nil, k.structural, object, nil, celconfig.RuntimeCELCostBudget)
	return append(errs, more...)
}

// Unknown lists the fields of an object that its kind does not have, which are taken out of it: kubectl has the API server refuse them.
func (k Kind) Unknown(object map[string]any) []string {
	return pruning.PruneWithOptions(object, k.structural, true, schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
}
