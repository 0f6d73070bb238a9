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
