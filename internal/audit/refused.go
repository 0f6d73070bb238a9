package audit

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// FailureAnnotation is where the API server writes what validations of policies have failed whose binding asks for Audit.
const FailureAnnotation = "validation.policy.admission.k8s.io/validation_failure"

// Failure is one of them.
type Failure struct {
	Message string   `json:"message"`
	Policy  string   `json:"policy"`
	Binding string   `json:"binding"`
	Actions []string `json:"validationActions"`
}

// Failures reads FailureAnnotation, as far as it is of Fonster's policies.
func Failures(value string) ([]Failure, error) {
	var all []Failure
	if err := json.Unmarshal([]byte(value), &all); err != nil {
		return nil, fmt.Errorf("annotation %s: %w", FailureAnnotation, err)
	}
	return slices.DeleteFunc(all, func(f Failure) bool { return !strings.HasPrefix(f.Policy, "fonster-") }), nil
}

// By is what refuses a request, or would.
type By struct {
	// Disruption is what it does; empty for one that only changes labels.
	Disruption string
	// Windows and Freezes are their names.
	Windows, Freezes []string
}

// An audit event has nothing but the message of a policy (hack/policygen/cel/message.cel). A test on an API server holds the two together.
var (
	disrupts = regexp.MustCompile(`^(Rollout|ScaleDown|Delete|Evict) of `)
	outside  = regexp.MustCompile(`is outside (?:its|the) maintenance windows(?: too)? \(([^)]*)\)`)
	frozen   = regexp.MustCompile(`is refused: change freeze (\S+) is in force`)
	frozen2  = regexp.MustCompile(`\)\. (?:It ends when its ChangeFreeze is edited or deleted\. )?So are ([a-z0-9., -]+)\.`)
)

// Reason reads the message of a refusal; false where it is another one.
func Reason(message string) (By, bool) {
	var by By
	if m := disrupts.FindStringSubmatch(message); m != nil {
		by.Disruption = m[1]
	}
	if m := frozen.FindStringSubmatch(message); m != nil {
		by.Freezes = []string{m[1]}
		if more := frozen2.FindStringSubmatch(message); more != nil {
			by.Freezes = append(by.Freezes, strings.Split(more[1], ", ")...)
		}
		return by, true
	}
	if m := outside.FindStringSubmatch(message); m != nil {
		if m[1] != "" {
			by.Windows = strings.Split(m[1], ", ")
		}
		return by, true
	}
	return by, false
}
