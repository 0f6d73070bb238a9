package main

import "testing"

func TestParagraphs(t *testing.T) {
	for text, want := range map[string]string{
		"one":                               "one",
		"one\ntwo":                          "one two",
		"one\ntwo\n\nthree\n  four":         "one two\n\nthree four",
		"one:\n- a\n  and more\n- b\n\nend": "one:\n- a and more\n- b\n\nend",
	} {
		if got := paragraphs(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
