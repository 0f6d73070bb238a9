package history

import "encoding/json"

// dataKey is where the data of a ConfigMap has a record.
const dataKey = "record.json"

// Data is the record as a ConfigMap keeps it.
func (r *Record) Data() (map[string]string, error) {
	text, err := json.Marshal(r)
	return map[string]string{dataKey: string(text)}, err
}

// Parse reads the record in the data of a ConfigMap; nil where there is none that can be read.
func Parse(data map[string]string) *Record {
	r := &Record{}
	if text, found := data[dataKey]; !found || json.Unmarshal([]byte(text), r) != nil || r.Window+r.Freeze == "" {
		return nil
	}
	return r
}
