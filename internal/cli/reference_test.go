package cli

import (
	"bytes"
	"os"
	"reflect"
	"strings"
	"testing"
)

// TestReference: the page of commands is as the commands are, and the page of JSON names every field.
func TestReference(t *testing.T) {
	var page bytes.Buffer
	if err := WriteReference(&page); err != nil {
		t.Fatal(err)
	}
	there, err := os.ReadFile("../../docs/reference/commands.md")
	if err != nil || !bytes.Equal(there, page.Bytes()) {
		t.Errorf("docs/reference/commands.md is not up to date: make generate (%v)", err)
	}
	fields, err := os.ReadFile("../../docs/reference/json.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{explanation{}, emergency{}, need{}, answerReport{}, freezeNote{}, verdictReport{}, heldReport{}, windowReport{}, freezeReport{},
		gateReport{}, standingOverride{}, versions{}, report{}, overridden{}} {
		of := reflect.TypeOf(v)
		for i := range of.NumField() {
			name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
			if name != "" && !strings.Contains(string(fields), name) {
				t.Errorf("docs/reference/json.md does not tell of %s of %s", name, of.Name())
			}
		}
	}
}
