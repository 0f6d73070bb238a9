package policy

import (
	"slices"
	"strings"
	"testing"
)

// TestIdentity: the zero one is that of config/; and of user names, those of service accounts alone are one.
func TestIdentity(t *testing.T) {
	var usual Identity
	if usual.User() != "system:serviceaccount:fonster-system:fonster-controller-manager" || usual.In() != "fonster-system" || !usual.Protected("fonster-system") {
		t.Errorf("the usual one: %s in %s", usual.User(), usual.In())
	}
	other, err := IdentityOf("system:serviceaccount:windows:operator")
	if err != nil || other != (Identity{"windows", "operator"}) || other.User() != "system:serviceaccount:windows:operator" {
		t.Errorf("%+v, %v", other, err)
	}
	if !other.Protected("windows") || other.Protected("fonster-system") || !other.Protected("kube-system") {
		t.Errorf("protected: %v", other.ProtectedNamespaces())
	}
	if users := other.ExemptUsers(); !slices.Contains(users, other.User()) || slices.Contains(users, usual.User()) {
		t.Errorf("exempt: %v", users)
	}
	for _, user := range []string{"", "kubernetes-admin", "system:serviceaccount:", "system:serviceaccount:a", "system:serviceaccount:a:", "system:serviceaccount::b", "serviceaccount:a:b"} {
		if i, err := IdentityOf(user); err == nil {
			t.Errorf("%q is %+v", user, i)
		}
	}
}

// spec is what a policy says of an operator, as far as it names one.
func spec(operator Identity, more string) []string {
	return []string{
		`request.userInfo.username == "` + operator.User() + `" || "` + more + `" in object`,
		`request.namespace in ["` + strings.Join(operator.ProtectedNamespaces(), `", "`) + `"]`,
		`request.userInfo.username in ["` + strings.Join(operator.ExemptUsers(), `", "`) + `"]`,
	}
}

func digestOf(t *testing.T, spec any, operator Identity) string {
	t.Helper()
	hash, err := Digest(spec, operator)
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

// TestDigestOfAnotherIdentity: policies that name the operator are as they should be whatever it is called, also where its namespace is a
// word that means something else; and those that name anybody else are not, be it the usual operator.
func TestDigestOfAnotherIdentity(t *testing.T) {
	want := digestOf(t, spec(Identity{}, "role"), Identity{})
	all := []Identity{{}, {"windows", "operator"}, {Namespace: "role"}, {Namespace: "kube-system"}, {ServiceAccount: "operator"}, {Namespace: "fonster"}}
	for _, own := range all {
		for _, named := range all {
			if hash := digestOf(t, spec(named, "role"), own); (hash == want) != (named == own) {
				t.Errorf("%s, where the policies name %s: as it should be: %t", own.User(), named.User(), hash == want)
			}
		}
		half := spec(own, "role")
		half[1] = spec(Identity{Namespace: "of-somebody-else"}, "role")[1]
		if digestOf(t, half, own) == want {
			t.Errorf("%s: another namespace is protected, and that is not seen", own.User())
		}
		if digestOf(t, spec(own, "another"), own) == want {
			t.Errorf("%s: another change is not seen", own.User())
		}
	}
}
