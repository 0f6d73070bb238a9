// Package audit reads the audit log of an API server: one JSON event a line, as --audit-log-path writes it, or lists of them, as a
// webhook gets them.
package audit

import (
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// Event is one event of audit.k8s.io/v1, as far as anybody asks for it here. Times are of UTC.
type Event struct {
	Kind       string `json:"kind"`
	Level      string `json:"level"`
	AuditID    string `json:"auditID"`
	Stage      string `json:"stage"`
	RequestURI string `json:"requestURI"`
	Verb       string `json:"verb"`
	User       User   `json:"user"`
	// ImpersonatedUser is who the request was made as; nil: as User.
	ImpersonatedUser *User `json:"impersonatedUser"`
	ObjectRef        *Ref  `json:"objectRef"`
	// ResponseStatus is nil before the response.
	ResponseStatus *Status `json:"responseStatus"`
	// RequestObject and ResponseObject are there from the levels Request and RequestResponse on.
	RequestObject            json.RawMessage   `json:"requestObject"`
	ResponseObject           json.RawMessage   `json:"responseObject"`
	RequestReceivedTimestamp time.Time         `json:"requestReceivedTimestamp"`
	Annotations              map[string]string `json:"annotations"`
}

// User is who asks.
type User struct {
	Username string   `json:"username"`
	Groups   []string `json:"groups"`
}

// Ref is what a request is about.
type Ref struct {
	Resource    string `json:"resource"`
	Namespace   string `json:"namespace"`
	Name        string `json:"name"`
	APIGroup    string `json:"apiGroup"`
	APIVersion  string `json:"apiVersion"`
	Subresource string `json:"subresource"`
}

// kinds of what windows govern, by their resources.
var kinds = map[string]string{
	"deployments": "Deployment", "statefulsets": "StatefulSet", "daemonsets": "DaemonSet", "replicasets": "ReplicaSet",
	"controllerrevisions": "ControllerRevision", "replicationcontrollers": "ReplicationController", "pods": "Pod", "namespaces": "Namespace",
	"horizontalpodautoscalers": "HorizontalPodAutoscaler",
}

// Kind is the resource as people call it, with its subresource.
func (r *Ref) Kind() string {
	kind := cmp.Or(kinds[r.Resource], r.Resource)
	if r.Subresource != "" {
		kind += "/" + r.Subresource
	}
	return kind
}

// Status is what came of a request.
type Status struct {
	Code    int    `json:"code"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// As is who admission sees.
func (e *Event) As() User {
	if e.ImpersonatedUser != nil {
		return *e.ImpersonatedUser
	}
	return e.User
}

// Complete says whether an event tells of a request that has been answered: each is told of in several stages.
func (e *Event) Complete() bool { return e.Stage == "ResponseComplete" && e.ResponseStatus != nil }

// Succeeded says whether the answer was no error.
func (e *Event) Succeeded() bool { return e.Complete() && e.ResponseStatus.Code < 400 }

// ErrCutOff says that the last event of a log is not whole, as in one that is being written.
var ErrCutOff = errors.New("the last event is cut off: it is left out")

// Read reads events in the order in which they are there.
func Read(r io.Reader, each func(*Event) error) error {
	decoder := json.NewDecoder(r)
	for n := 1; ; n++ {
		var entry struct {
			Event
			Items []Event `json:"items"`
		}
		switch err := decoder.Decode(&entry); {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, io.ErrUnexpectedEOF):
			return ErrCutOff
		case err != nil:
			return fmt.Errorf("event %d: is not JSON as an API server writes it: %w", n, err)
		}
		switch entry.Kind {
		case "Event":
			if err := each(&entry.Event); err != nil {
				return err
			}
		case "EventList":
			for i := range entry.Items {
				if err := each(&entry.Items[i]); err != nil {
					return err
				}
			}
		default:
			return fmt.Errorf("event %d: is no event of an audit log, but %s", n, cmp.Or(entry.Kind, "of no kind"))
		}
	}
}

// ReadFile reads a log by its path, - for standard input; what ends in .gz is unpacked. Its errors name it.
func ReadFile(path string, stdin io.Reader, each func(*Event) error) error {
	from := stdin
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		from = file
	}
	if strings.HasSuffix(path, ".gz") {
		unpacked, err := gzip.NewReader(from)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		from = unpacked
	}
	if err := Read(from, each); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
