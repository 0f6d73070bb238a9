package e2e

import (
	"os"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/client-go/discovery"
)

// firstMutating is the minor version of Kubernetes from which on rollouts are held and overrides stamped.
const firstMutating = 36

// served is the version of the API server of the tests.
func served(t *testing.T) *version.Version {
	t.Helper()
	v, err := asked()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

var asked = sync.OnceValues(func() (*version.Version, error) {
	client, err := discovery.NewDiscoveryClientForConfig(shared.Config)
	if err != nil {
		return nil, err
	}
	info, err := client.ServerVersion()
	if err != nil {
		return nil, err
	}
	return version.ParseGeneric(info.GitVersion)
})

// TestVersion: the API server is of the version that KUBERNETES asks for, and has mutating policies from the version on that documents name.
func TestVersion(t *testing.T) {
	v := served(t)
	if want := os.Getenv("KUBERNETES"); want != "" && !v.WithPatch(0).EqualTo(version.MustParseGeneric(want)) {
		t.Errorf("the API server is of Kubernetes %s, want %s", v, want)
	}
	if want := v.Minor() >= firstMutating; canMutate(t) != want {
		t.Errorf("Kubernetes %s: serves mutating policies %t, want %t", v, !want, want)
	}
}
