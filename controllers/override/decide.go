package override

import (
	"cmp"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/override"
)

// decision is what to do about an object that carries an override.
type decision struct {
	// record is what to note of it in the windows that it passes; nil where it never stood.
	record *v1alpha1.OverrideRecord
	// until, when set, is an earlier end than the one noted.
	until time.Time
	// end says that it ends now: its reason is used up, and the notes go.
	end bool
	// clean says that the notes of an override that has ended go.
	clean bool
	// next is when to look again; zero: when the object changes.
	next time.Time
}

// governed is what windows and freezes say of an object that carries an override.
type governed struct {
	// windows name those that refuse changes of it, in order.
	windows []string
	// longest is how long the strictest lets an override stand; zero where nothing governs the object.
	longest time.Duration
	// since is when the first of the windows was created; zero where none governs.
	since time.Time
}

// decide works out what to do about an object's override at now.
func decide(o *metav1.PartialObjectMetadata, g governed, now time.Time) decision {
	current := override.Parse(o)
	switch {
	case current.Reason == "" || current.IsSpent(): // taken away, or used up
		d := decision{clean: true}
		if len(current.Spent) > 0 && !current.Until.IsZero() {
			current.Reason = current.Spent[0]
			d.record = record(o, current, current.Until, now)
			end(d.record, earlier(current.Until, now), v1alpha1.OverrideRemoved)
		}
		return d
	case g.longest == 0 && current.Stands(now) && now.Before(began(o, current, now).Add(settle)): // a cache may be behind
		return decision{next: began(o, current, now).Add(settle)}
	case g.longest == 0, current.Until.IsZero(), // nothing governs it, or nothing did when it was set: nobody was asked for the right
		began(o, current, now).Before(g.since):
		return decision{end: true}
	case !now.Before(current.Until):
		d := decision{record: record(o, current, current.Until, now), end: true}
		end(d.record, current.Until, v1alpha1.OverrideExpired)
		return d
	}
	d := decision{}
	if latest := now.Add(g.longest).UTC().Truncate(time.Second); current.Until.After(latest) {
		d.until, current.Until = latest, latest
	}
	d.record, d.next = record(o, current, now, now), current.Until
	return d
}

// settle is how long after the beginning of an override the caches may not yet have the window that governs its object.
const settle = 2 * time.Second

// record is what is known of an override.
func record(o *metav1.PartialObjectMetadata, current override.Override, by, now time.Time) *v1alpha1.OverrideRecord {
	r := &v1alpha1.OverrideRecord{
		Object: override.ObjectName(o.Kind, o.Namespace, o.Name), Reason: clip(current.Reason, maxText), By: clip(current.By, maxText), Until: metav1.NewTime(current.Until.UTC()),
		Notice: clip(current.Notice, maxText), From: metav1.NewTime(began(o, current, earlier(by, now))),
		FromGeneration: o.Generation, ToGeneration: o.Generation,
	}
	if !current.From.IsZero() {
		r.FromGeneration = current.FromGeneration
	}
	return r
}

// began is when an override began: as the API server has stamped it, or else the latest write that is not later than by.
func began(o *metav1.PartialObjectMetadata, current override.Override, by time.Time) time.Time {
	if !current.From.IsZero() {
		return current.From.UTC()
	}
	return lastWrite(o, by)
}

// maxText is how many characters the API takes of what people write in a record.
const maxText = 1024

// clip shortens a text to n characters.
func clip(text string, n int) string {
	if runes := []rune(text); len(runes) > n {
		return string(runes[:n-1]) + "…"
	}
	return text
}

func end(r *v1alpha1.OverrideRecord, at time.Time, how v1alpha1.OverrideEnd) {
	r.EndedAt, r.Ended = &metav1.Time{Time: at.UTC().Truncate(time.Second)}, how
}

// lastWrite is when anybody last wrote the object, as of now.
func lastWrite(o *metav1.PartialObjectMetadata, now time.Time) time.Time {
	var last time.Time
	for _, m := range o.ManagedFields {
		if m.Time != nil && m.Subresource == "" && m.Time.After(last) && !m.Time.After(now) {
			last = m.Time.Time
		}
	}
	if last.IsZero() {
		last = now
	}
	return last.UTC().Truncate(time.Second)
}

// writers names who has written something of the object's spec since an instant, by their field managers; at most maxWriters.
func writers(o *metav1.PartialObjectMetadata, since time.Time) []string {
	var names []string
	for _, m := range o.ManagedFields {
		if m.Manager != fieldManager && ofSpec(m) && !m.Time.Time.Before(since) && !slices.Contains(names, m.Manager) {
			names = append(names, m.Manager)
		}
	}
	slices.Sort(names)
	return names[:min(len(names), maxWriters)]
}

const maxWriters = 8

// note merges a record into a window's list, newest first. It returns nil where nothing changes, and whether the record is a
// new one.
func note(list []v1alpha1.OverrideRecord, r v1alpha1.OverrideRecord, o *metav1.PartialObjectMetadata, now time.Time) (merged []v1alpha1.OverrideRecord, added bool) {
	list = slices.Clone(list)
	i := slices.IndexFunc(list, func(e v1alpha1.OverrideRecord) bool {
		return e.Object == r.Object && e.Reason == r.Reason && (e.EndedAt == nil || e.EndedAt.Equal(r.EndedAt) || e.From.Equal(&r.From) && e.Until.Equal(&r.Until))
	})
	changed := false
	for j := range list { // an override that another one replaced
		if e := &list[j]; j != i && e.Object == r.Object && e.EndedAt == nil {
			end(e, earlier(e.Until.Time, now), v1alpha1.OverrideReplaced)
			changed = true
		}
	}
	if i < 0 {
		r.ToGeneration, r.ChangedBy = lastChange(r, r.Ended, o), writers(o, r.From.Time)
		return shorten(slices.Insert(list, 0, r)), true
	}
	e := &list[i]
	before := e.DeepCopy()
	e.Until, e.EndedAt, e.Ended = r.Until, r.EndedAt, cmp.Or(r.Ended, e.Ended)
	if e.EndedAt == nil { // or it may have gone with the reason
		e.Notice = r.Notice
	}
	e.ToGeneration = max(e.ToGeneration, lastChange(*e, r.Ended, o))
	e.ChangedBy = writers(o, e.From.Time)
	if !changed && equality.Semantic.DeepEqual(before, e) {
		return nil, false
	}
	return list, false
}

// shorten drops records from the end of a list that is too long: first of what has ended, as what stands would come again.
func shorten(list []v1alpha1.OverrideRecord) []v1alpha1.OverrideRecord {
	for len(list) > v1alpha1.MaxOverrideRecords {
		last := len(list) - 1
		for i := range list {
			if list[i].EndedAt != nil {
				last = i
			}
		}
		list = slices.Delete(list, last, last+1)
	}
	return list
}

// closeAll ends what is open in a window's list for an object; nil where nothing is.
func closeAll(list []v1alpha1.OverrideRecord, object string, how v1alpha1.OverrideEnd, now time.Time) []v1alpha1.OverrideRecord {
	list = slices.Clone(list)
	changed := false
	for i := range list {
		if e := &list[i]; e.Object == object && e.EndedAt == nil {
			end(e, earlier(e.Until.Time, now), how)
			changed = true
		}
	}
	if !changed {
		return nil
	}
	return list
}

// standing names the objects of the records of a list that have not ended.
func standing(list []v1alpha1.OverrideRecord) []string {
	var objects []string
	for _, e := range list {
		if e.EndedAt == nil && !slices.Contains(objects, e.Object) {
			objects = append(objects, e.Object)
		}
	}
	return objects
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
