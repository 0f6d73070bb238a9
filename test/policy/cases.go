// Package policy tries the policies of Fonster in the API server's own evaluator: rule by rule, against a model that knows nothing of
// them, in each version of Kubernetes, and against the API server's limits. It is a module of its own, so that the API server stays out
// of the dependencies of Fonster.
package policy
