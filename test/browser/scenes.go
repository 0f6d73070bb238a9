package browser

import (
	"time"

	"fonster.dev/fonster/internal/announce"
)

// Scene is a page as people may meet it.
type Scene struct {
	Name string
	// Path is below the language.
	Path string
	Site func() *Site
	// Screens is how many screens of a phone the page has at most; 0: as many as it takes.
	Screens int64
	// Says is what stands where, in Swedish.
	Says map[string][]string
}

// Scenes are those of the documents.
var Scenes = []Scene{
	{
		Name: "notice", Screens: 3,
		Site: func() *Site {
			s := NewSite(At(time.December, 1, 8, 30))
			s.Notice()
			return s
		},
		Says: map[string][]string{
			".banner": {"Inget servicefönster pågår just nu", "Nästa: lördag 5 december kl. 09.00–20.00"},
			".now":    {"Uppdaterad kl. 08.30"}, "header": {"IT-Centrum"}, "footer": {"0174-123 45", "Alla tider är svensk tid."},
		},
	},
	{
		Name: "emergency",
		Site: func() *Site {
			s := NewSite(At(time.December, 5, 11, 10))
			s.Notice()
			s.Work(announce.Work{Since: At(time.December, 5, 10, 50), Until: At(time.December, 5, 12, 50), Namespace: "tierp-web", Notice: "Schemat svarar inte; servern byts."})
			return s
		},
		Says: map[string][]string{
			".banner.emergency": {"Akut arbete pågår", "Gäller Tierp", "Schemat svarar inte", "10.50–12.50"}, ".banner.open": {"Servicefönster pågår", "Gemensamma servicefönster", "Pågår till kl. 20.00"},
		},
	},
	{
		Name: "freeze",
		Site: func() *Site {
			s := NewSite(At(time.December, 22, 9, 0))
			s.Notice()
			s.Window("mellandag", "Servicefönster i mellandagarna", nil, "2026-12-29")
			return s
		},
		Says: map[string][]string{".banner.frozen": {"Ändringsstopp gäller: Julfrys, inga ändringar"}, "section:has(#changes)": {"Ställs in: Julfrys, inga ändringar"}},
	},
	{
		Name: "moved", Path: "alvkarleby/",
		Site: func() *Site {
			s := NewSite(At(time.November, 26, 9, 0))
			s.Notice()
			s.Moved()
			return s
		},
		Says: map[string][]string{"section:has(#changes)": {"Tisdag 1 december kl. 18.00–21.00", "Flyttat till torsdag 3 december kl. 18.00"}, "section:has(#next) a": {"https://intranet.example.se/uppgradering"}},
	},
	{
		Name: "thirty",
		Site: func() *Site {
			s := NewSite(At(time.November, 26, 9, 0))
			s.Notice()
			s.Thirty()
			return s
		},
		Says: map[string][]string{"section:has(#next)": {"Gemensamma servicefönster", "Fler servicefönster finns i listan nedan"}},
	},
}
