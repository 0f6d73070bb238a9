package calendar

import (
	"strings"
	"time"
)

// iana is the IANA name of a zone that a calendar names: so itself, with a prefix as some programs write it, or as Windows does; empty
// where it is not known.
func iana(id string) string {
	id = strings.Trim(strings.TrimSpace(id), `"`)
	if name, known := windowsZones[id]; known {
		return name
	}
	for parts := strings.Split(id, "/"); len(parts) > 0; parts = parts[1:] { // /mozilla.org/20070129_1/Europe/Stockholm
		name := strings.Join(parts, "/")
		if len(parts) == 1 && name != "UTC" && name != id {
			break // the last part alone is a town
		}
		if name == "" || name == "Local" {
			continue
		}
		if _, err := time.LoadLocation(name); err == nil {
			return name
		}
	}
	return ""
}

// windowsZones are the names by which Outlook and Exchange call zones, with the zone of CLDR's windowsZones.xml for territory 001.
var windowsZones = map[string]string{
	"W. Europe Standard Time": "Europe/Berlin", "Central Europe Standard Time": "Europe/Budapest", "Romance Standard Time": "Europe/Paris",
	"Central European Standard Time": "Europe/Warsaw", "GMT Standard Time": "Europe/London", "Greenwich Standard Time": "Atlantic/Reykjavik",
	"FLE Standard Time": "Europe/Kiev", "GTB Standard Time": "Europe/Bucharest", "E. Europe Standard Time": "Europe/Chisinau", "Turkey Standard Time": "Europe/Istanbul",
	"Russian Standard Time": "Europe/Moscow", "Belarus Standard Time": "Europe/Minsk", "Kaliningrad Standard Time": "Europe/Kaliningrad", "UTC": "UTC",
	"Israel Standard Time": "Asia/Jerusalem", "Egypt Standard Time": "Africa/Cairo", "South Africa Standard Time": "Africa/Johannesburg", "E. Africa Standard Time": "Africa/Nairobi",
	"W. Central Africa Standard Time": "Africa/Lagos", "Morocco Standard Time": "Africa/Casablanca", "Arabian Standard Time": "Asia/Dubai", "Arab Standard Time": "Asia/Riyadh",
	"India Standard Time": "Asia/Calcutta", "China Standard Time": "Asia/Shanghai", "Singapore Standard Time": "Asia/Singapore", "Tokyo Standard Time": "Asia/Tokyo",
	"Korea Standard Time": "Asia/Seoul", "Taipei Standard Time": "Asia/Taipei", "SE Asia Standard Time": "Asia/Bangkok", "W. Australia Standard Time": "Australia/Perth",
	"AUS Eastern Standard Time": "Australia/Sydney", "E. Australia Standard Time": "Australia/Brisbane", "Cen. Australia Standard Time": "Australia/Adelaide",
	"New Zealand Standard Time": "Pacific/Auckland", "Eastern Standard Time": "America/New_York", "Central Standard Time": "America/Chicago",
	"Mountain Standard Time": "America/Denver", "US Mountain Standard Time": "America/Phoenix", "Pacific Standard Time": "America/Los_Angeles",
	"Alaskan Standard Time": "America/Anchorage", "Hawaiian Standard Time": "Pacific/Honolulu", "Atlantic Standard Time": "America/Halifax",
	"Newfoundland Standard Time": "America/St_Johns", "E. South America Standard Time": "America/Sao_Paulo", "Argentina Standard Time": "America/Buenos_Aires",
	"SA Pacific Standard Time": "America/Bogota", "Central Standard Time (Mexico)": "America/Mexico_City",
}
