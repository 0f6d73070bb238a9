package gate

// Target is whom a window or freeze governs.
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
