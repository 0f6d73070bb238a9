package audit

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"fonster.dev/fonster/internal/policy"
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

// Note is what a policy says for programs of a request that something in a Gate closes, also of one that an override lets pass
// (hack/policygen/cel/message.cel, docs/reference/audit.md).
type Note struct {
	// Policy is its name; Freezes says that Names are of change freezes, not of windows.
	Policy  string `json:"-"`
	Freezes bool   `json:"-"`
	// Gate is the name of the Gate that it is of: that of what refuses, or that of what audits.
	Gate string `json:"gate"`
	// Disruption is what the request does; empty for one that only changes labels.
	Disruption string `json:"disruption"`
	// Names are of those that close it: of windows the first 32, and none where the Gate has no room for them.
	Names []string `json:"names"`
}

// ReadNote reads the audit annotation of some key: notes of several Gates are there one after the other, between commas. False: it is another
// annotation.
func ReadNote(key, value string) ([]Note, bool, error) {
	name, of, _ := strings.Cut(key, "/")
	if !strings.HasPrefix(name, "fonster-") || of != policy.FreezesNote && of != policy.WindowsNote {
		return nil, false, nil
	}
	var notes []Note
	if err := json.Unmarshal([]byte("["+value+"]"), &notes); err != nil {
		return nil, true, fmt.Errorf("annotation %s: %w", key, err)
	}
	for i := range notes {
		notes[i].Policy, notes[i].Freezes = name, of == policy.FreezesNote
	}
	return notes, true, nil
}

// Notes are what a policy says in the annotations of an event about the Gate of some name.
func (e *Event) Notes(name, gate string) (notes []Note, err error) {
	for _, of := range []string{policy.FreezesNote, policy.WindowsNote} {
		value, noted := e.Annotations[name+"/"+of]
		if !noted {
			continue
		}
		read, _, err := ReadNote(name+"/"+of, value)
		if err != nil {
			return nil, err
		}
		notes = append(notes, read...)
	}
	return slices.DeleteFunc(notes, func(n Note) bool { return n.Gate != gate }), nil
}
