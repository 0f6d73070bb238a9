package policygen

import "testing"

func TestGenerate(t *testing.T) {
	p, err := Generate()
	if err != nil {
		t.Fatal(err)
	}
	t.Log(len(p.Validating), len(p.ValidatingBindings), len(p.Mutating), len(p.MutatingBindings))
}
