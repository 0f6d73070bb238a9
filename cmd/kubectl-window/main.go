// Command kubectl-window is a kubectl plugin: kubectl window.
package main

import (
	"context"
	"os"
	"os/signal"
	"time"

	"fonster.dev/fonster/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := cli.Run(ctx, os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, time.Now)
	stop()
	os.Exit(code)
}
