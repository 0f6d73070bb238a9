package web

import (
	"net/http"
	"time"
)

// HTTP is a server of pages that nobody can wear out: there is a limit to how long a request may take to come and to be answered, and
// to how large it is. A request has no body that is read.
func HTTP(pages http.Handler) *http.Server {
	return &http.Server{
		Handler:           pages,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
}
