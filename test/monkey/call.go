package monkey

import (
	"bytes"
	"context"
	"io"
	"net/http"

	"k8s.io/client-go/rest"
)

// caller sends requests as one identity.
type caller struct {
	host   string
	client *http.Client
}

func newCaller(config *rest.Config) (*caller, error) {
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	return &caller{host: config.Host, client: client}, nil
}

// do sends a request, as a service account where one is named, and returns the status and what came back.
func (c *caller) do(ctx context.Context, method, path, contentType, as string, body []byte) (int, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.host+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	if as != "" {
		request.Header.Set("Impersonate-User", as)
	}
	response, err := c.client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	return response.StatusCode, answer, err
}
