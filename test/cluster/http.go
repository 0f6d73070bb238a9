package cluster

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
)

// insecure speaks to the operator's self-signed certificate on loopback.
var insecure = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}

func get(ctx context.Context, url string) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	response, err := insecure.Do(request)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

// Metrics reads /metrics with a bearer token, and returns the status and the text.
func (o *Operator) Metrics(ctx context.Context, token string) (int, string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, o.MetricsURL+"/metrics", nil)
	if err != nil {
		return 0, "", err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := insecure.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, string(body), err
}
