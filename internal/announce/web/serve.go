package web

import (
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

// maxConnections is how many readers are answered at a time; who comes then waits until one is done. Each takes some 30 kB of memory:
// documents are shared.
const maxConnections = 2000

// Listen listens where pages are served.
func Listen(address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	return netutil.LimitListener(listener, maxConnections), nil
}

// HTTP is a server of pages that nobody can wear out: there is a limit to how long a request may take to come and to be answered, to how
// large it is, and to how long a connection may wait for the next. A body is not read.
func HTTP(pages http.Handler) *http.Server {
	return &http.Server{
		Handler:                      pages,
		ReadHeaderTimeout:            5 * time.Second,
		ReadTimeout:                  10 * time.Second,
		WriteTimeout:                 30 * time.Second,
		IdleTimeout:                  30 * time.Second,
		MaxHeaderBytes:               16 << 10,
		DisableGeneralOptionsHandler: true, // only GET and HEAD are answered
	}
}
