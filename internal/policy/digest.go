package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
)

// Digest is a hash of the spec of a policy or binding, with every default that the API server would set. It is the same whatever the
// operator of the installation is called, as long as the spec names that one.
func Digest(spec any, operator Identity) (string, error) {
	content, err := json.Marshal(spec)
	if err != nil {
		return "", fmt.Errorf("hashing the spec of a policy: %w", err)
	}
	sum := sha256.Sum256([]byte(withDefaultIdentity(string(content), operator)))
	return hex.EncodeToString(sum[:16]), nil
}

// withDefaultIdentity puts the default names where the JSON of a spec names an operator, and the operator's where it has the default ones: so
// what names anybody else, those of config/ too, is another text than that of config/, and one text comes from one alone.
func withDefaultIdentity(content string, operator Identity) string {
	own, other := operator.literals(), Identity{}.literals()
	var swaps []string
	for i := range own {
		if own[i] != other[i] {
			swaps = append(swaps, own[i], other[i], other[i], own[i])
		}
	}
	return strings.NewReplacer(swaps...).Replace(content)
}

// literals are the texts by which the policies know an operator, as JSON has them: its user name, and the namespaces where nothing is
// governed, of which the own one comes last. That one alone might be a text that stands for something else, such as "role".
func (i Identity) literals() []string {
	last := i.ProtectedNamespaces()
	return []string{`\"` + i.User() + `\"`, `\"` + last[len(last)-2] + `\", \"` + last[len(last)-1] + `\"]`}
}
