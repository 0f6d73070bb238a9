package gate

import "slices"

// Overlaps says whether any set of labels matches both selectors.
func (s Selector) Overlaps(other Selector) bool { return !slices.Concat(s, other).impossible() }
