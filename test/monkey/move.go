// Package monkey plays a namespace admin who means no good, or does not know better: random sequences of requests over everything that
// the controllers of Kubernetes read before they delete or replace a pod, in namespaces that are closed, beside a twin that is open.
// Nobody asks the gate whether it held: the pods are watched.
package monkey

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"fonster.dev/fonster/api/v1alpha1"
)

// A Move is one request of the player. It is the same in every namespace: what differs from one to the next, such as the names and
// UIDs of pods, it says by references (see resolve.go).
type Move struct {
	// Does names what the move does, one word for each change: it is what moves are counted by.
	Does []string `json:"does"`
	// As is a service account of the namespace that the player impersonates, or whose token it has made (token:NAME).
	As string `json:"as,omitempty"`
	// Verb is create, apply, update, merge, strategic or json (the types of patches), delete or deletecollection.
	Verb        string `json:"verb"`
	Resource    string `json:"resource"`
	Name        string `json:"name,omitempty"`
	Subresource string `json:"subresource,omitempty"`
	// Body is the object, or a merge patch from which the update, the patch of another type, or the applied object is made; in parts,
	// one for each word of Does, that are merged.
	Body []object `json:"body,omitempty"`
	// Selector is the label selector of a deletecollection; Manager the field manager of an apply.
	Selector string `json:"selector,omitempty"`
	Manager  string `json:"manager,omitempty"`
	// Wait is how many milliseconds the controllers are given after it.
	Wait int `json:"wait,omitempty"`
	// Drains tells that the move evicts or scales down, though not to zero: a choice that the default disruptions leave.
	Drains bool `json:"drains,omitempty"`
	// Early tells that it is played before a window governs the namespace.
	Early bool `json:"early,omitempty"`
}

// simpler are the moves that do one thing less.
func (m Move) simpler() []Move {
	var fewer []Move
	for i := range m.Body {
		if len(m.Body) < 2 || len(m.Body) != len(m.Does) {
			break
		}
		part := m
		part.Does, part.Body = without(m.Does, i, i+1), without(m.Body, i, i+1)
		fewer = append(fewer, part)
	}
	return fewer
}

// does tells whether a move does all that another does, with an object of the same sort: of a workload, or a workload itself.
func (m Move) does(other Move) bool {
	return m.Resource == other.Resource && strings.Contains(m.Name, ":") == strings.Contains(other.Name, ":") && m.Early == other.Early &&
		!slices.ContainsFunc(other.Does, func(d string) bool { return !slices.Contains(m.Does, d) })
}

// kind is one of the kinds that the player writes.
type kind struct{ api, kind string }

// kinds are named as group/resource.
var kinds = map[string]kind{
	"core/configmaps":                      {"v1", "ConfigMap"},
	"core/pods":                            {"v1", "Pod"},
	"core/replicationcontrollers":          {"v1", "ReplicationController"},
	"core/services":                        {"v1", "Service"},
	"core/serviceaccounts":                 {"v1", "ServiceAccount"},
	"core/namespaces":                      {"v1", "Namespace"},
	"apps/deployments":                     {"apps/v1", "Deployment"},
	"apps/replicasets":                     {"apps/v1", "ReplicaSet"},
	"apps/statefulsets":                    {"apps/v1", "StatefulSet"},
	"apps/daemonsets":                      {"apps/v1", "DaemonSet"},
	"apps/controllerrevisions":             {"apps/v1", "ControllerRevision"},
	"batch/jobs":                           {"batch/v1", "Job"},
	"autoscaling/horizontalpodautoscalers": {"autoscaling/v2", "HorizontalPodAutoscaler"},
	"policy/poddisruptionbudgets":          {"policy/v1", "PodDisruptionBudget"},
	"rbac/rolebindings":                    {"rbac.authorization.k8s.io/v1", "RoleBinding"},
	"fonster/gates":                        {v1alpha1.GroupVersion.String(), "Gate"},
}

// path is the path of an object, or without a name of all of its kind in a namespace.
func path(namespace, resource, name, subresource string) string {
	api := "/apis/" + kinds[resource].api
	if kinds[resource].api == "v1" {
		api = "/api/v1"
	}
	plural := resource[strings.Index(resource, "/")+1:]
	if plural == "namespaces" {
		return api + "/namespaces/" + namespace
	}
	p := api + "/namespaces/" + namespace + "/" + plural
	if name != "" {
		p += "/" + name
	}
	if subresource != "" {
		p += "/" + subresource
	}
	return p
}

// A Request is a Move as it was sent to one namespace: all references resolved.
type Request struct {
	Namespace, As, Method, Path, ContentType string
	Body                                     []byte

	move Move
	name string
}

var patchTypes = map[string]string{
	"merge": "application/merge-patch+json", "strategic": "application/strategic-merge-patch+json",
	"json": "application/json-patch+json", "apply": "application/apply-patch+yaml",
}

// Kubectl is the request as a command.
func (r Request) Kubectl() string {
	plural := r.move.Resource[strings.Index(r.move.Resource, "/")+1:]
	command := "kubectl -n " + r.Namespace
	if r.As != "" {
		command += " --as=" + r.As
	}
	subresource := ""
	if r.move.Subresource != "" {
		subresource = " --subresource=" + r.move.Subresource
	}
	stdin := " -f - <<<" + quote(r.Body)
	switch r.move.Verb {
	case "create":
		if r.move.Subresource != "" {
			return command + " create --raw " + r.Path + stdin
		}
		return command + " create" + stdin
	case "update":
		return command + " replace" + subresource + stdin
	case "apply":
		return command + " apply --server-side --force-conflicts --field-manager=" + r.move.Manager + stdin
	case "delete":
		return command + " delete " + plural + " " + r.name + cascade(r.Body)
	case "deletecollection":
		return command + " delete " + plural + " -l " + r.move.Selector + cascade(r.Body)
	}
	return command + " patch " + plural + " " + r.name + subresource + " --type=" + r.move.Verb + " -p " + quote(r.Body)
}

func quote(body []byte) string { return "'" + strings.ReplaceAll(string(body), "'", `'\''`) + "'" }

func cascade(body []byte) string {
	var options struct {
		PropagationPolicy string `json:"propagationPolicy"`
	}
	if json.Unmarshal(body, &options) != nil || options.PropagationPolicy == "" {
		return ""
	}
	return " --cascade=" + strings.ToLower(options.PropagationPolicy)
}

// Lines writes moves as lines of JSON, which MONKEY_REPLAY reads again.
func Lines(moves []Move) []string {
	lines := make([]string, 0, len(moves))
	for _, m := range moves {
		var buffer bytes.Buffer
		encoder := json.NewEncoder(&buffer)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(m); err != nil {
			panic(err) // maps of strings and numbers
		}
		lines = append(lines, strings.TrimSpace(buffer.String()))
	}
	return lines
}

// ParseLines reads what Lines has written; empty lines and what stands before the first brace are left out.
func ParseLines(text string) ([]Move, error) {
	var moves []Move
	for line := range strings.Lines(text) {
		begin := strings.Index(line, "{")
		if begin < 0 {
			continue
		}
		var m Move
		if err := json.Unmarshal([]byte(line[begin:]), &m); err != nil {
			return nil, fmt.Errorf("reading the move %s: %w", line, err)
		}
		moves = append(moves, m)
	}
	return moves, nil
}
