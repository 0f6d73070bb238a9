package cli

import (
	"cmp"
	"strings"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/decision"
)

// answerReport is what becomes of a disruption, as JSON has it.
type answerReport struct {
	Disruption v1alpha1.Disruption `json:"disruption"`
	// ObjectSelector is, in the answer of a Namespace, of which workloads it speaks: of those that this selects.
	ObjectSelector string `json:"objectSelector,omitempty"`
	// Answer is Allowed, Warned, Held or Refused; May says that it may begin now: Allowed or Warned.
	Answer decision.Word `json:"answer"`
	May    bool          `json:"may"`
	// Text says why and until when, to people.
	Text    string   `json:"text"`
	Windows []string `json:"windows,omitempty"`
	// Until is when what may begin no longer may, UntilBy the freeze by which.
	Until   string `json:"until,omitempty"`
	UntilBy string `json:"untilBy,omitempty"`
	// From is when what may not begin may, FromBy the window that opens then, or the freeze that ends. NotBefore says that it may not before,
	// and that no more is known.
	From      string `json:"from,omitempty"`
	FromBy    string `json:"fromBy,omitempty"`
	NotBefore bool   `json:"notBefore,omitempty"`
	// Late says that a window should have opened, and its Gate does not show it: is the operator running?
	Late          bool                 `json:"late,omitempty"`
	Cutoff        *v1alpha1.GateCutoff `json:"cutoff,omitempty"`
	Freezes       []freezeNote         `json:"freezes,omitempty"`
	FreezesToCome []freezeNote         `json:"freezesToCome,omitempty"`
	// Overridden and Exempt say why it passes, where it would not otherwise.
	Overridden bool `json:"overridden,omitempty"`
	Exempt     bool `json:"exempt,omitempty"`
}

// freezeNote is a change freeze in an answer.
type freezeNote struct {
	Name     string `json:"name"`
	Reason   string `json:"reason"`
	StartsAt string `json:"startsAt,omitempty"`
	EndsAt   string `json:"endsAt,omitempty"`
	// Warns says that it only warns.
	Warns bool `json:"warns,omitempty"`
}

func noteOf(f v1alpha1.GateFreeze) freezeNote {
	n := freezeNote{Name: f.Name, Reason: f.Reason, Warns: f.Enforcement == v1alpha1.Warn}
	if f.StartsAt != nil {
		n.StartsAt = instant(f.StartsAt.Time)
	}
	if f.EndsAt != nil {
		n.EndsAt = instant(f.EndsAt.Time)
	}
	return n
}

func (r *root) reportAnswer(a decision.Answer) answerReport {
	report := answerReport{
		Disruption: a.Disruption, Answer: a.Word, May: a.Word.Begins(), Text: r.say(a), Windows: a.Windows,
		Until: instant(a.Until), UntilBy: a.UntilBy, From: instant(a.From), FromBy: a.FromBy, NotBefore: a.AtLeast, Late: a.Late,
		Cutoff: a.Cutoff, Overridden: a.Overridden, Exempt: a.Exempt,
	}
	for _, f := range append(a.Frozen, a.Advisory...) {
		report.Freezes = append(report.Freezes, noteOf(f))
	}
	for _, f := range a.Coming {
		report.FreezesToCome = append(report.FreezesToCome, noteOf(f))
	}
	return report
}

// say tells people why, and until when or from when.
func (r *root) say(a decision.Answer) string {
	until := ""
	if !a.Until.IsZero() {
		until = "until " + r.human(a.Until)
	}
	if a.UntilBy != "" {
		until += ", when change freeze " + a.UntilBy + " begins"
	}
	switch {
	case a.Exempt:
		return "you are one of those whom every gate lets pass"
	case a.Overridden:
		return strings.TrimSpace("an override stands " + until)
	case a.Word == decision.Warned && len(a.Advisory) > 0:
		f := a.Advisory[0]
		return "change freeze " + f.Name + " warns (" + f.Reason + ")"
	case a.Word == decision.Warned:
		return "outside windows that warn"
	case a.Word == decision.Allowed && until != "":
		return until
	case a.Word == decision.Allowed && len(a.Windows) == 0:
		return "no window governs it"
	case a.Word == decision.Allowed:
		return "no closing is known"
	}
	return r.sayClosed(a)
}

// sayClosed tells why something may not begin, and when it may.
func (r *root) sayClosed(a decision.Answer) string {
	var parts []string
	for _, f := range a.Frozen {
		ends := "until it is changed or deleted"
		if f.EndsAt != nil {
			ends = "until " + cmp.Or(f.Ends, r.human(f.EndsAt.Time))
		}
		parts = append(parts, "change freeze "+f.Name+" is in force "+ends+" ("+f.Reason+")")
	}
	if c := a.Cutoff; c != nil {
		parts = append(parts, c.Window+" is open until "+c.Ends+", but begins nothing new since "+c.Since+" (cutoff)")
	}
	words := cmp.Or(a.FromWords, r.human(a.From))
	switch {
	case a.From.IsZero() && len(a.Frozen) == 0:
		parts = append(parts, "no coming opening is known")
	case a.From.IsZero():
	case a.Late:
		parts = append(parts, a.FromBy+" should have opened "+words+", and the Gate does not show it yet: is the operator running?")
	case a.AtLeast && len(a.Frozen) > 0:
		parts = append(parts, "not before "+words)
	case a.AtLeast:
		parts = append(parts, "not before "+words+", by "+a.FromBy)
	case a.Word == decision.Held:
		parts = append(parts, "accepted, and waits until "+words+", when "+a.FromBy+" opens")
	case len(a.Frozen) == 0 || a.FromBy != a.Frozen[0].Name:
		parts = append(parts, "from "+words+", by "+a.FromBy)
	}
	return strings.Join(parts, "; ")
}
