package web

import (
	"cmp"
	"flag"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// Options are what whoever runs the page says of it.
type Options struct {
	// Audiences have a page whatever the objects say, and a name for people.
	Audiences []Audience
	// AudienceLabel is the key of the label of a namespace that names its audience, such as kommun.
	AudienceLabel string
	// Language is the BCP 47 tag of the language in which windows and freezes are written, and of the page for a reader who states none
	// that is there.
	Language string
	// Organisation is whose page it is, Link is to its own page, and Contact says in a line whom to ask; each may be empty.
	Organisation, Link, Contact string
	// URL is where people reach the page, with a slash at its end: links in calendars and feeds begin with it. Empty where that is not
	// known: then links are relative.
	URL string
	// TellErrors lets a reader know why there is no page: for one's own machine.
	TellErrors bool
}

// Bind makes the options flags, with the same names wherever the page is served.
func (o *Options) Bind(flags *flag.FlagSet) {
	flags.Func("page-url", "where people reach the page, such as https://servicefonster.example.se/: calendars and feeds link to it", func(address string) (err error) {
		o.URL, err = parseURL(address)
		return err
	})
	flags.Func("page-audiences", "audiences that always have a page, with their names for people, such as osthammar=Östhammar,heby=Heby", func(list string) error {
		audiences, err := parseAudiences(list)
		o.Audiences = audiences
		return err
	})
	flags.StringVar(&o.AudienceLabel, "page-audience-label", "", "key of the label of a namespace that names its audience, such as kommun: what governs or is done in the namespace concerns that audience")
	flags.StringVar(&o.Organisation, "page-organisation", "", "whose page it is, such as IT-Centrum")
	flags.StringVar(&o.Contact, "page-contact", "", `whom to ask, such as "IT-Centrum, 0174-123 45"; addresses of mail and of the web become links`)
	flags.Func("page-language", "language in which windows and freezes are written, and of the page for a reader whose browser names none that is there, such as sv", func(tag string) error {
		if localeOf(tag) == nil {
			return fmt.Errorf("the page has no %q: want one of %s", tag, strings.Join(tags(), ", "))
		}
		o.Language = tag
		return nil
	})
	flags.Func("page-link", "where the name of the organisation leads, such as https://intranet.example.se", func(link string) error {
		u, err := url.Parse(link)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			return fmt.Errorf("%q is no address: want one such as https://intranet.example.se", link)
		}
		o.Link = link
		return nil
	})
}

// tags are the languages that there are.
func tags() (list []string) {
	for _, l := range locales {
		list = append(list, l.Tag)
	}
	return list
}

// parseURL reads an absolute address, and ends it with a slash.
func parseURL(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("%q is no address of a page: want one such as https://servicefonster.example.se/", address)
	}
	return strings.TrimSuffix(address, "/") + "/", nil
}

var audienceName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

// parseAudiences reads NAME or NAME=TITLE, separated by commas.
func parseAudiences(list string) (audiences []Audience, err error) {
	for entry := range strings.SplitSeq(list, ",") {
		if entry = strings.TrimSpace(entry); entry == "" {
			continue
		}
		name, title, _ := strings.Cut(entry, "=")
		if !audienceName.MatchString(name) {
			return nil, fmt.Errorf("%q is no audience: want NAME or NAME=TITLE, such as osthammar=Östhammar", entry)
		}
		audiences = append(audiences, Audience{Name: name, Title: cmp.Or(strings.TrimSpace(title), name)})
	}
	return audiences, nil
}
