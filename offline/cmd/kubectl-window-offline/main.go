// Command kubectl-window-offline does what kubectl window does without a cluster: kubectl window lint, test and replay run it.
package main

import (
	"context"
	"os"
	"os/signal"
	"time"

	"fonster.dev/fonster/offline/command"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := command.Run(ctx, os.Args[1:], command.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, time.Now)
	stop()
	os.Exit(code)
}
