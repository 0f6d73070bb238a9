package gate

import "slices"

// Auditing is what would govern if everything that audits refused: a set in which what audits refuses, and the other windows only open, so
// that what those let pass is not counted as refused. Nil where nothing audits.
func Auditing(windows []Window, freezes []Freeze) *Set {
	var trialWindows []Window
	var trialFreezes []Freeze
	audits := false
	for _, w := range windows {
		if w.Enforcement == Audit {
			w.Enforcement, audits = Deny, true
		} else {
			w.Enforcement = Warn
		}
		trialWindows = append(trialWindows, w)
	}
	for _, f := range freezes { // of the others, each refuses by itself
		if f.Enforcement == Audit {
			f.Enforcement, audits = Deny, true
			trialFreezes = append(trialFreezes, f)
		}
	}
	if !audits {
		return nil
	}
	return NewSet(trialWindows, trialFreezes)
}

// Refusing lists the windows and freezes that do more than warn, in order of name. Where there are none, nothing is ever refused.
func (g *Governing) Refusing() (windows []*Window, freezes []*Freeze) {
	for _, w := range g.Windows {
		if w.Enforcement.strictness() > Warn.strictness() {
			windows = append(windows, w)
		}
	}
	freezes = slices.DeleteFunc(slices.Clone(g.Freezes), func(f *Freeze) bool { return f.Enforcement != Deny })
	return windows, freezes
}
