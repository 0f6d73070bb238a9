// Command commands writes the page of the kubectl plugin's commands, from the commands themselves.
//
//	go run ./hack/commands docs/reference/commands.md
package main

import (
	"bytes"
	"fmt"
	"os"

	"fonster.dev/fonster/internal/cli"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: commands PAGE")
		os.Exit(2)
	}
	var page bytes.Buffer
	err := cli.WriteReference(&page)
	if err == nil {
		err = os.WriteFile(os.Args[1], page.Bytes(), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "commands:", err)
		os.Exit(1)
	}
}
