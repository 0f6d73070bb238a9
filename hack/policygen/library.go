package policygen

import (
	"cmp"
	"embed"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/cel-go/common"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/parser"
)

//go:embed cel/*.cel
var sources embed.FS

// library is CEL by name, as the files in cel/ define it:
//
//	// A comment says why.
//	podsExist = oldObject.status.?replicas.orValue(0) > 0
//	  || !settled
//
//	matches(SELECTOR, LABELS) = SELECTOR.all(r, r.key in LABELS)
//
// A definition begins at the start of a line; what follows it is indented. Names are of the whole library. A definition with parameters,
// which are written in capitals, is put in the place of each call; one without becomes a variable of the policy that uses it, or is
// put in its place in a match condition, to which the API server gives no variables.
type library struct {
	definitions map[string]definition
	parent      *library
}

type definition struct {
	params []string
	expr   ast.Expr
}

// parseCEL reads an expression without expanding its macros, so that it can be written out again as it was read.
var parseCEL = func() func(string) (ast.Expr, error) {
	p, err := parser.NewParser(parser.EnableOptionalSyntax(true), parser.MaxRecursionDepth(250))
	if err != nil {
		panic(err)
	}
	return func(text string) (ast.Expr, error) {
		parsed, errs := p.Parse(common.NewTextSource(text))
		if len(errs.GetErrors()) > 0 {
			return nil, fmt.Errorf("%s\nin: %s", errs.ToDisplayString(), text)
		}
		return parsed.Expr(), nil
	}
}()

// readLibrary reads the files of CEL.
func readLibrary() (*library, error) {
	l := &library{definitions: map[string]definition{}}
	files, err := sources.ReadDir("cel")
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		content, err := sources.ReadFile("cel/" + f.Name())
		if err != nil {
			return nil, err
		}
		if err := l.read(string(content)); err != nil {
			return nil, fmt.Errorf("cel/%s: %w", f.Name(), err)
		}
	}
	return l, nil
}

func (l *library) read(content string) error {
	var head string
	var body []string
	end := func() error {
		if head == "" {
			return nil
		}
		err := l.define(head, strings.Join(body, "\n"))
		head, body = "", nil
		return err
	}
	for line := range strings.Lines(content) {
		line = strings.TrimRight(line, " \n")
		switch trimmed := strings.TrimSpace(line); {
		case trimmed == "" || strings.HasPrefix(trimmed, "//"):
			continue
		case trimmed == line: // a definition begins
			if err := end(); err != nil {
				return err
			}
			name, rest, found := strings.Cut(line, " =")
			if !found {
				return fmt.Errorf("%q: want NAME = EXPRESSION", line)
			}
			head, body = name, []string{rest}
		default:
			body = append(body, line)
		}
	}
	return end()
}

// define adds a definition, whose head is NAME or NAME(PARAMETER, ...).
func (l *library) define(head, text string) error {
	name, list, _ := strings.Cut(strings.TrimSuffix(head, ")"), "(")
	if _, taken := l.lookup(name); taken {
		return fmt.Errorf("%s is defined twice", name)
	}
	expr, err := parseCEL(text)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	d := definition{expr: expr}
	for p := range strings.SplitSeq(list, ",") {
		if p = strings.TrimSpace(p); p != "" {
			d.params = append(d.params, p)
		}
	}
	l.definitions[name] = d
	return nil
}

func (l *library) lookup(name string) (definition, bool) {
	if d, found := l.definitions[name]; found {
		return d, true
	}
	if l.parent == nil {
		return definition{}, false
	}
	return l.parent.lookup(name)
}

// with is a library of a policy of its own: all of l, and what the policy alone defines.
func (l *library) with(own map[string]string) (*library, error) {
	child := &library{definitions: map[string]definition{}, parent: l}
	for _, name := range slices.Sorted(maps.Keys(own)) {
		if err := child.define(name, own[name]); err != nil {
			return nil, err
		}
	}
	return child, nil
}

// inline writes an expression with every definition in its place.
func (l *library) inline(text string) (string, error) {
	return l.write(text, func(_ string, d definition, _ []string) (ast.Expr, error) { return d.expr, nil })
}

// variables gathers the definitions that expressions use, in an order in which each comes after those that it uses. What is used once, or is
// short, is put in its place instead: the API server takes more than a microsecond for each variable of a policy that it asks, also of
// requests that end at the match condition. What asks for a right is not.
type variables struct {
	library *library
	// uses counts, of each definition, the places that use it; one in a comprehension counts as many.
	uses  map[string]int
	names []string
	exprs map[string]string
}

const many = 2

// What definitions put in their place may add to a policy, in characters over all the places that use one: those that look through a list
// or a text less than others, as each place does that anew.
const (
	shortLooking = 300
	short        = 800
)

// variables counts what expressions use that are to be written.
func (l *library) variables(texts ...string) (*variables, error) {
	v := &variables{library: l, uses: map[string]int{}, exprs: map[string]string{}}
	var count replacement
	count = func(name string, d definition, bound []string) (ast.Expr, error) {
		v.uses[name]++
		if len(bound) > 0 {
			v.uses[name] += many
		}
		if v.uses[name] > 1 && (v.uses[name] != 1+many || len(bound) == 0) {
			return factory.NewIdent(0, name), nil // it has been counted what it uses
		}
		_, err := l.rewrite(d.expr, nil, nil, count)
		return factory.NewIdent(0, name), err
	}
	for _, text := range texts {
		if _, err := l.write(text, count); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// expression writes an expression in which definitions are variables of the policy. Lists of patches are put in their place too: as
// variables they would lose their type.
func (v *variables) expression(text string) (string, error) { return v.library.write(text, v.variable) }

func (v *variables) variable(name string, d definition, _ []string) (ast.Expr, error) {
	if v.uses[name] <= 1 && !asks(d.expr) || v.library.patches(d.expr) {
		return d.expr, nil
	}
	text, known := v.exprs[name]
	if known && text == "" {
		return nil, fmt.Errorf("%s uses itself", name)
	}
	if !known {
		v.exprs[name] = ""
		expr, err := v.library.rewrite(d.expr, nil, nil, v.variable)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if text, err = unparse(expr); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		v.exprs[name] = text
		if !v.short(name, d.expr) {
			v.names = append(v.names, name)
		}
	}
	if v.short(name, d.expr) {
		return d.expr, nil
	}
	return factory.NewSelect(0, factory.NewIdent(0, "variables"), name), nil
}

// short says whether a definition is better put in its place, once it is known how long it is.
func (v *variables) short(name string, e ast.Expr) bool {
	most := short
	if looks(v.exprs[name]) {
		most = shortLooking
	}
	return !asks(e) && len(v.exprs[name])*v.uses[name] <= most
}

// looks says whether written CEL looks through a list or a text.
func looks(text string) bool {
	return slices.ContainsFunc(append([]string{"matches", "split", "join", "find"}, comprehensions...), func(function string) bool {
		return strings.Contains(text, "."+function+"(")
	})
}

// asks says whether an expression itself asks for rights. The API server lets one expression ask for two at most, so each definition that does
// stays a variable.
func asks(e ast.Expr) (found bool) {
	ast.PreOrderVisit(e, ast.NewExprVisitor(func(inner ast.Expr) {
		found = found || inner.Kind() == ast.IdentKind && inner.AsIdent() == "authorizer"
	}))
	return found
}

// patches says whether an expression makes patches of a mutating policy.
func (l *library) patches(e ast.Expr) (found bool) {
	ast.PreOrderVisit(e, ast.NewExprVisitor(func(inner ast.Expr) {
		var name string
		switch inner.Kind() {
		case ast.StructKind:
			found = true
		case ast.IdentKind:
			name = inner.AsIdent()
		case ast.CallKind:
			name = inner.AsCall().FunctionName()
		}
		if d, defined := l.lookup(name); defined && !found {
			found = l.patches(d.expr)
		}
	}))
	return found
}

// write reads an expression, replaces what the library defines, and writes it.
func (l *library) write(text string, replace replacement) (string, error) {
	expr, err := parseCEL(text)
	if err != nil {
		return "", err
	}
	if expr, err = l.rewrite(expr, nil, nil, replace); err != nil {
		return "", err
	}
	return unparse(expr)
}

// replacement is what stands in the place of a definition without parameters; bound are the variables of comprehensions around it.
type replacement func(name string, d definition, bound []string) (ast.Expr, error)

var factory = ast.NewExprFactory()

// rewrite replaces the names and calls that the library defines. args are the arguments of the definition that is being put in its
// place; bound are the variables of comprehensions around the expression, which hide names of the library.
func (l *library) rewrite(e ast.Expr, args map[string]ast.Expr, bound []string, replace replacement) (ast.Expr, error) {
	again := func(inner ast.Expr) (ast.Expr, error) { return l.rewrite(inner, args, bound, replace) }
	switch e.Kind() {
	case ast.IdentKind:
		return l.rewriteIdent(e, args, bound, replace)
	case ast.SelectKind:
		operand, err := again(e.AsSelect().Operand())
		if err != nil {
			return nil, err
		}
		return factory.NewSelect(0, operand, e.AsSelect().FieldName()), nil
	case ast.CallKind:
		return l.rewriteCall(e.AsCall(), args, bound, replace)
	case ast.ListKind:
		elements, err := each(e.AsList().Elements(), again)
		return factory.NewList(0, elements, e.AsList().OptionalIndices()), err
	case ast.MapKind:
		entries, err := each(e.AsMap().Entries(), func(entry ast.EntryExpr) (ast.EntryExpr, error) {
			value, err := again(entry.AsMapEntry().Value())
			return factory.NewMapEntry(0, entry.AsMapEntry().Key(), value, entry.AsMapEntry().IsOptional()), err
		})
		return factory.NewMap(0, entries), err
	case ast.StructKind:
		fields, err := each(e.AsStruct().Fields(), func(field ast.EntryExpr) (ast.EntryExpr, error) {
			value, err := again(field.AsStructField().Value())
			return factory.NewStructField(0, field.AsStructField().Name(), value, field.AsStructField().IsOptional()), err
		})
		return factory.NewStruct(0, e.AsStruct().TypeName(), fields), err
	}
	return e, nil
}

func (l *library) rewriteIdent(e ast.Expr, args map[string]ast.Expr, bound []string, replace replacement) (ast.Expr, error) {
	name := e.AsIdent()
	if arg, is := args[name]; is {
		return arg, nil
	}
	d, found := l.lookup(name)
	if !found || slices.Contains(bound, name) {
		return e, nil
	}
	if len(d.params) > 0 {
		return nil, fmt.Errorf("%s takes %s", name, strings.Join(d.params, ", "))
	}
	instead, err := replace(name, d, bound)
	if err != nil || instead != d.expr {
		return instead, err
	}
	return l.rewrite(d.expr, nil, bound, replace) // in its place
}

func (l *library) rewriteCall(call ast.CallExpr, args map[string]ast.Expr, bound []string, replace replacement) (ast.Expr, error) {
	inner := bound
	if call.IsMemberFunction() && slices.Contains(comprehensions, call.FunctionName()) && len(call.Args()) > 1 {
		inner = append(slices.Clone(bound), call.Args()[0].AsIdent())
	}
	rewritten, err := each(call.Args(), func(arg ast.Expr) (ast.Expr, error) { return l.rewrite(arg, args, inner, replace) })
	if err != nil {
		return nil, err
	}
	if call.IsMemberFunction() {
		target, err := l.rewrite(call.Target(), args, bound, replace)
		return factory.NewMemberCall(0, call.FunctionName(), target, rewritten...), err
	}
	d, found := l.lookup(call.FunctionName())
	if !found {
		return factory.NewCall(0, call.FunctionName(), rewritten...), nil
	}
	if len(d.params) != len(rewritten) {
		return nil, fmt.Errorf("%s takes %s", call.FunctionName(), strings.Join(d.params, ", "))
	}
	own := make(map[string]ast.Expr, len(rewritten))
	for i, p := range d.params {
		own[p] = rewritten[i]
	}
	// What a call is given may speak of variables of comprehensions around it: the body must not hide them.
	if hidden := hides(d.expr, bound); hidden != "" {
		return nil, fmt.Errorf("%s uses the variable %s, and so does what is around its call: rename one", call.FunctionName(), hidden)
	}
	expr, err := l.rewrite(d.expr, own, bound, replace)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", call.FunctionName(), err)
	}
	return expr, nil
}

// comprehensions are the macros of CEL that bind a variable: their first argument.
var comprehensions = []string{"all", "exists", "exists_one", "filter", "map"}

// hides is the first of names that is the variable of a comprehension in an expression; empty: none is.
func hides(e ast.Expr, names []string) (found string) {
	ast.PreOrderVisit(e, ast.NewExprVisitor(func(inner ast.Expr) {
		if inner.Kind() != ast.CallKind || !inner.AsCall().IsMemberFunction() || !slices.Contains(comprehensions, inner.AsCall().FunctionName()) {
			return
		}
		if variable := inner.AsCall().Args()[0].AsIdent(); slices.Contains(names, variable) {
			found = cmp.Or(found, variable)
		}
	}))
	return found
}

func each[T any](list []T, do func(T) (T, error)) ([]T, error) {
	result := make([]T, len(list))
	for i, e := range list {
		var err error
		if result[i], err = do(e); err != nil {
			return nil, err
		}
	}
	return result, nil
}

// width is from where on lines of generated CEL are wrapped.
const width = 100

func unparse(e ast.Expr) (string, error) {
	text, err := parser.Unparse(e, ast.NewSourceInfo(common.NewTextSource("")), parser.WrapOnColumn(width),
		parser.WrapOnOperators(operators.LogicalAnd, operators.LogicalOr), parser.WrapAfterColumnLimit(false))
	if err != nil {
		return "", fmt.Errorf("writing CEL: %w", err)
	}
	return text, nil
}
