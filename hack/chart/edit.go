package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// edit is what a value of the chart changes of an object: the field at a path, such as spec.template.spec.containers.0.image.
type edit struct {
	path string
	line line
}

// line writes a field as a template, with as many spaces as its key stands behind.
type line func(key string, indent int) string

// value writes what an expression of templates comes to.
func value(expression string) line {
	return func(key string, _ int) string { return key + ": {{ " + expression + " }}" }
}

// block writes what may have many lines, as a list.
func block(expression string) line {
	return func(key string, indent int) string {
		return fmt.Sprintf("%s:\n%s{{- %s | nindent %d }}", key, strings.Repeat(" ", indent+2), expression, indent+2)
	}
}

// optional writes a field where it has a value; it may not be the first of a list's entry.
func optional(expression string) line {
	return func(key string, indent int) string {
		in := strings.Repeat(" ", indent)
		return fmt.Sprintf("{{- with %s }}\n%s%s:\n%s  {{- toYaml . | nindent %d }}\n%s{{- end }}", expression, in, key, in, indent+2, in)
	}
}

// set sets a field, and makes the maps on the way to it.
func set(object map[string]any, path, key string, value any) {
	parent, _ := at(object, path).(map[string]any)
	if parent == nil {
		parent = map[string]any{}
		above, last := cut(path)
		set(object, above, last, parent)
	}
	parent[key] = value
}

func cut(path string) (parent, key string) {
	i := strings.LastIndexByte(path, '.')
	return path[:max(i, 0)], path[i+1:]
}

// at is the value at a path; nil where there is none.
func at(object any, path string) any {
	if path == "" {
		return object
	}
	for step := range strings.SplitSeq(path, ".") {
		switch o := object.(type) {
		case map[string]any:
			object = o[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(o) {
				return nil
			}
			object = o[i]
		default:
			return nil
		}
	}
	return object
}

// placeholders stand in an object for lines of a template, while it is written as YAML.
type placeholders struct{ lines []line }

func (p *placeholders) add(l line) string {
	p.lines = append(p.lines, l)
	return fmt.Sprintf("PLACEHOLDER-%d", len(p.lines)-1)
}

var placeholder = regexp.MustCompile(`(?m)^( *(?:- )?)([A-Za-z]+): PLACEHOLDER-([0-9]+)$`)

// fill puts the lines where they belong.
func (p *placeholders) fill(text string) (string, error) {
	found := 0
	text = placeholder.ReplaceAllStringFunc(text, func(whole string) string {
		found++
		m := placeholder.FindStringSubmatch(whole)
		i, _ := strconv.Atoi(m[3])
		filled := p.lines[i](m[2], len(m[1]))
		if strings.HasPrefix(filled, "{{-") {
			return strings.Repeat(" ", len(m[1])) + filled
		}
		return m[1] + filled
	})
	if found != len(p.lines) {
		return "", fmt.Errorf("%d of %d values found their place", found, len(p.lines))
	}
	return text, nil
}

// labels are the chart's own and those that tell one object from another.
func (p *placeholders) labels(object map[string]any) {
	own, _ := at(object, "metadata.labels").(map[string]any)
	keep := maps.Clone(own)
	delete(keep, "app.kubernetes.io/managed-by")
	if keep["app.kubernetes.io/name"] == nil {
		set(object, "metadata", "labels", own)
		if keep == nil {
			keep = map[string]any{}
		}
		keep["app.kubernetes.io/name"] = "fonster"
	}
	set(object, "metadata", "labels", p.add(func(key string, indent int) string {
		in := strings.Repeat(" ", indent+2)
		text := fmt.Sprintf("%s:\n%s{{- include \"fonster.labels\" . | nindent %d }}", key, in, indent+2)
		for _, k := range slices.Sorted(maps.Keys(keep)) {
			text += fmt.Sprintf("\n%s%s: %q", in, k, keep[k])
		}
		return text
	}))
}
