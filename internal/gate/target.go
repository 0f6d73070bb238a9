package gate

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// Target is whom a window or freeze governs. Windows with equal targets share a gate.
type Target struct {
	// Namespaces selects by the labels of the namespace.
	Namespaces Selector
	// Objects selects by the labels of the workload.
	Objects Selector
}

// key tells targets apart; equal for selectors of equal normal form.
func (t Target) key() string { return t.Namespaces.String() + "\x00" + t.Objects.String() }

// Covers says whether t governs everything that other governs.
func (t Target) Covers(other Target) bool {
	return t.Namespaces.Covers(other.Namespaces) && t.Objects.Covers(other.Objects)
}

// Overlaps says whether some object could be governed by both.
func (t Target) Overlaps(other Target) bool {
	return t.Namespaces.Overlaps(other.Namespaces) && t.Objects.Overlaps(other.Objects)
}

// hashDigits is how much of its hash the name of a gate has: 64 bits. To meet the name of a given target takes 2^64 tries; a pair of
// one's own with the same name is found by some 2^32, and nameGroups tells them apart.
const hashDigits = 16

// Name is the name of the target's gate: words from the selectors for people, and a hash that alone tells targets apart.
// The same target has the same name in every replica and after every restart.
func (t Target) Name() string { return t.name(hashDigits) }

// name has so many digits of the hash, and fits the value of a label.
func (t Target) name(digits int) string {
	const maxName, mostWords = 63, 40
	maxWords := min(mostWords, maxName-1-digits)
	words := t.Namespaces.words()
	if words == "" {
		words = "all-namespaces"
	}
	if objects := t.Objects.words(); objects != "" {
		words += "-" + objects
	}
	if len(words) > maxWords {
		words = words[:maxWords]
	}
	sum := sha256.Sum256([]byte(t.key()))
	return strings.Trim(words, "-") + "-" + hex.EncodeToString(sum[:])[:digits]
}

// words are the selector's keys and values in the letters of an object's name.
func (s Selector) words() string {
	var parts []string
	for _, r := range s {
		key := r.Key[strings.LastIndex(r.Key, "/")+1:]
		switch r.Operator {
		case In:
			parts = append(parts, key, strings.Join(r.Values, "-"))
		case NotIn, DoesNotExist:
			parts = append(parts, "not", key, strings.Join(r.Values, "-"))
		case Exists:
			parts = append(parts, key)
		}
	}
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, strings.Join(parts, "-"))
	return strings.Trim(name, "-")
}
