package monkey

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// References. A name may be
//
//	pod:APP:N   rs:APP:N   rev:APP:N    the N-th pod, ReplicaSet or ControllerRevision with label app=APP, by age and name; modulo
//	                                    their number
//
// and a string in a body, as a whole,
//
//	$(namespace)                  the namespace
//	$(name NAME)                  what a name stands for
//	$(of RESOURCE NAME a/b/c)     a field of an object as it is now, of any type

// errNothing says that a move refers to what is not there: it is left out.
var errNothing = errors.New("nothing there")

// object is any object of Kubernetes, as JSON.
type object = map[string]any

var listed = map[string]string{"pod": "core/pods", "rs": "apps/replicasets", "rev": "apps/controllerrevisions"}

// name resolves a name.
func (s *Stage) name(ctx context.Context, name string) (string, error) {
	parts := strings.Split(name, ":")
	if len(parts) != 3 {
		return name, nil
	}
	n, err := strconv.Atoi(parts[2])
	if err != nil {
		return "", fmt.Errorf("reading the name %s: %w", name, err)
	}
	var list struct{ Items []object }
	query := "?labelSelector=" + url.QueryEscape("app="+parts[1])
	if err := s.read(ctx, path(s.Name, listed[parts[0]], "", "")+query, &list); err != nil {
		return "", err
	}
	if len(list.Items) == 0 {
		return "", errNothing
	}
	slices.SortFunc(list.Items, func(a, b object) int {
		return cmp.Or(cmp.Compare(text(a, "metadata/creationTimestamp"), text(b, "metadata/creationTimestamp")),
			cmp.Compare(text(a, "metadata/name"), text(b, "metadata/name")))
	})
	return text(list.Items[n%len(list.Items)], "metadata/name"), nil
}

// read reads an object as the administrator.
func (s *Stage) read(ctx context.Context, path string, into any) error {
	status, body, err := s.world.admin.do(ctx, http.MethodGet, path, "", "", nil)
	if err != nil {
		return err
	}
	if status == http.StatusNotFound {
		return errNothing
	}
	if status != http.StatusOK {
		return fmt.Errorf("reading %s: %d %s", path, status, body)
	}
	return json.Unmarshal(body, into)
}

// resolve returns a value with its references resolved.
func (s *Stage) resolve(ctx context.Context, value any) (any, error) {
	switch v := value.(type) {
	case object:
		resolved := object{}
		for key, entry := range v {
			var err error
			if resolved[key], err = s.resolve(ctx, entry); err != nil {
				return nil, err
			}
		}
		return resolved, nil
	case []any:
		resolved := make([]any, len(v))
		for i, entry := range v {
			var err error
			if resolved[i], err = s.resolve(ctx, entry); err != nil {
				return nil, err
			}
		}
		return resolved, nil
	case string:
		if strings.HasPrefix(v, "$(") && strings.HasSuffix(v, ")") {
			return s.reference(ctx, strings.Fields(v[2:len(v)-1]))
		}
	}
	return value, nil
}

func (s *Stage) reference(ctx context.Context, words []string) (any, error) {
	switch {
	case words[0] == "namespace":
		return s.Name, nil
	case words[0] == "name" && len(words) == 2:
		return s.name(ctx, words[1])
	case words[0] == "of" && len(words) == 4:
		name, err := s.name(ctx, words[2])
		if err != nil {
			return nil, err
		}
		var o object
		if err := s.read(ctx, path(s.Name, words[1], name, ""), &o); err != nil {
			return nil, err
		}
		value, found := field(o, words[3])
		if !found {
			return nil, errNothing
		}
		return value, nil
	}
	return nil, fmt.Errorf("no such reference: %v", words)
}

// field is a field of an object by its path; ~1 stands for a slash in a name.
func field(o any, path string) (any, bool) {
	for _, name := range strings.Split(path, "/") {
		m, isMap := o.(object)
		if !isMap {
			return nil, false
		}
		var found bool
		if o, found = m[strings.ReplaceAll(name, "~1", "/")]; !found {
			return nil, false
		}
	}
	return o, true
}

func text(o object, path string) string {
	value, _ := field(o, path)
	s, _ := value.(string)
	return s
}

// request makes the request of a move.
func (s *Stage) request(ctx context.Context, m Move) (Request, error) {
	r := Request{Namespace: s.Name, move: m, ContentType: "application/json"}
	if account, isToken := strings.CutPrefix(m.As, "token:"); m.As != "" {
		r.As = m.As
		if !isToken && !strings.HasPrefix(account, "system:") {
			r.As = "system:serviceaccount:" + s.Name + ":" + account
		}
	}
	var err error
	if r.name, err = s.name(ctx, m.Name); err != nil {
		return r, err
	}
	body := object{}
	for _, part := range m.Body {
		resolved, err := s.resolve(ctx, part)
		if err != nil {
			return r, err
		}
		combine(body, resolved.(object))
	}
	r.Path = path(s.Name, m.Resource, r.name, m.Subresource)
	switch m.Verb {
	case "create":
		r.Method = http.MethodPost
		if m.Subresource == "" {
			r.Path = path(s.Name, m.Resource, "", "")
			body = withName(body, m.Resource, r.name)
		}
	case "delete", "deletecollection":
		r.Method = http.MethodDelete
		if m.Selector != "" {
			r.Path += "?labelSelector=" + url.QueryEscape(m.Selector)
		}
	case "apply":
		r.Method, r.ContentType = http.MethodPatch, patchTypes[m.Verb]
		r.Path += "?force=true&fieldManager=" + m.Manager
		body = withName(withoutNulls(body), m.Resource, r.name)
	case "update", "json":
		return s.changed(ctx, r, body)
	default:
		r.Method, r.ContentType = http.MethodPatch, patchTypes[m.Verb]
	}
	r.Body, err = json.Marshal(body)
	return r, err
}

// withName is an object with its kind and name.
func withName(body object, resource, name string) object {
	body["apiVersion"], body["kind"] = kinds[resource].api, kinds[resource].kind
	metadata, _ := body["metadata"].(object)
	if metadata == nil {
		metadata = object{}
	}
	metadata["name"] = name
	body["metadata"] = metadata
	return body
}

// changed makes an update, or a JSON patch, of the object as it is and a merge patch.
func (s *Stage) changed(ctx context.Context, r Request, patch object) (Request, error) {
	var o object
	if err := s.read(ctx, r.Path, &o); err != nil {
		return r, err
	}
	var err error
	if r.move.Verb == "update" {
		r.Method = http.MethodPut
		r.Body, err = json.Marshal(merge(o, patch))
		return r, err
	}
	r.Method, r.ContentType = http.MethodPatch, patchTypes["json"]
	operations := jsonPatch(o, patch, "")
	slices.SortFunc(operations, func(a, b object) int { return cmp.Compare(a["path"].(string), b["path"].(string)) })
	r.Body, err = json.Marshal(operations)
	return r, err
}

// merge applies a merge patch (RFC 7396).
func merge(target any, patch object) object {
	merged, isObject := target.(object)
	if !isObject {
		merged = object{}
	}
	for key, value := range patch {
		if value == nil {
			delete(merged, key)
		} else if entries, isObject := value.(object); isObject {
			merged[key] = merge(merged[key], entries)
		} else {
			merged[key] = value
		}
	}
	return merged
}

// jsonPatch is the JSON patch that does to an object what a merge patch does.
func jsonPatch(target object, patch object, prefix string) []object {
	operations := []object{}
	for key, value := range patch {
		path := prefix + "/" + strings.ReplaceAll(strings.ReplaceAll(key, "~", "~0"), "/", "~1")
		old, exists := target[key]
		entries, isObject := value.(object)
		oldEntries, wasObject := old.(object)
		switch {
		case value == nil && exists:
			operations = append(operations, object{"op": "remove", "path": path})
		case value == nil:
		case isObject && wasObject:
			operations = append(operations, jsonPatch(oldEntries, entries, path)...)
		case isObject:
			operations = append(operations, object{"op": "add", "path": path, "value": merge(nil, entries)})
		default:
			operations = append(operations, object{"op": "add", "path": path, "value": value})
		}
	}
	return operations
}

// withoutNulls is an object without what a merge patch would take away.
func withoutNulls(o object) object {
	kept := object{}
	for key, value := range o {
		if entries, isObject := value.(object); isObject {
			kept[key] = withoutNulls(entries)
		} else if value != nil {
			kept[key] = value
		}
	}
	return kept
}

// combine adds a merge patch to another.
func combine(into, more object) {
	for key, value := range more {
		entries, isObject := value.(object)
		if before, wasObject := into[key].(object); isObject && wasObject {
			combine(before, entries)
		} else {
			into[key] = value
		}
	}
}
