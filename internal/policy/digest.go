package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// Digest is a hash of the spec of a policy or binding, with every default that the API server would set.
func Digest(spec any) (string, error) {
	content, err := json.Marshal(spec)
	if err != nil {
		return "", fmt.Errorf("hashing the spec of a policy: %w", err)
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:16]), nil
}
