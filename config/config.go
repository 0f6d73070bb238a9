// Package config has what is installed: the CRDs, and the policies with their bindings.
package config

import "embed"

// Installed are the manifests, as make install applies them.
//
//go:embed crd/bases/*.yaml policies/*.yaml mutating/*.yaml
var Installed embed.FS
