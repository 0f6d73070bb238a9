// Command web is a workload of tests: it says its version to whoever asks, is ready when it has run for a while, and goes on answering for
// a moment after it was told to end, as an endpoint is known for longer than its pod.
//
//	web -version 2 -ready-after 3s
//	web -get http://10.96.0.7:8090/       prints what is there, and ends
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	address := flag.String("address", ":8080", "where it serves / and /readyz")
	version := flag.String("version", "1", "what / says")
	after := flag.Duration("ready-after", 0, "how long after its start /readyz says so")
	linger := flag.Duration("linger", 3*time.Second, "how long it goes on when it was told to end")
	get := flag.String("get", "", "a URL to get and print instead of serving")
	flag.Parse()
	do := func() error { return serve(*address, *version, *after, *linger) }
	if *get != "" {
		do = func() error { return show(*get) }
	}
	if err := do(); err != nil {
		fmt.Fprintln(os.Stderr, "web:", err)
		os.Exit(1)
	}
}

func serve(address, version string, after, linger time.Duration) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	started := time.Now()
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, version) })
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		if left := after - time.Since(started); left > 0 {
			http.Error(w, fmt.Sprintf("ready in %s", left), http.StatusServiceUnavailable)
		}
	})
	server := &http.Server{Addr: address, Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	time.Sleep(linger)
	return server.Shutdown(context.Background())
}

// show prints what a URL answers; another status than 200 is an error.
func show(url string) error {
	client := &http.Client{Timeout: 10 * time.Second}
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(os.Stdout, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	return nil
}
