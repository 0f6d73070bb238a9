package monkey

import "slices"

// reduce returns a shortest sequence that still fails, by leaving out parts of a sequence that fails: halves first, single moves at
// last. firstFailing tells which of some sequences fails: the index of one that does, or -1.
func reduce[T any](failing []T, firstFailing func([][]T) int) []T {
	for parts := 2; len(failing) > 1; {
		size := (len(failing) + parts - 1) / parts
		var shorter [][]T
		for begin := 0; begin < len(failing); begin += size {
			shorter = append(shorter, without(failing, begin, min(begin+size, len(failing))))
		}
		i := firstFailing(shorter)
		switch {
		case i >= 0:
			failing, parts = shorter[i], max(parts-1, 2)
		case size == 1:
			return failing
		default:
			parts = min(2*parts, len(failing))
		}
	}
	return failing
}

func without[T any](all []T, from, to int) []T {
	return append(slices.Clone(all[:from]), all[to:]...)
}
