package doctor

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"time"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/sender"
)

const (
	// attemptBudget is how long LiveKit waits for one answer, from its protocol package 1.54 on.
	attemptBudget = 10 * time.Second
	// queueBudget is how long LiveKit keeps an event that waits behind others.
	queueBudget = 30 * time.Second
	// certificateWarn is how long before a certificate's expiry a warning is given.
	certificateWarn = 14 * 24 * time.Hour
)

// Path is how a webhook came through, as far as it came.
type Path struct {
	URL              string          `json:"url"`
	Address          string          `json:"address,omitempty"` // the address connected to
	DNS              egress.Duration `json:"dns"`
	Connect          egress.Duration `json:"connect"`
	TLS              egress.Duration `json:"tls"`
	Total            egress.Duration `json:"total"` // until the answer's header
	Status           int             `json:"status,omitempty"`
	CertificateUntil *time.Time      `json:"certificate_until,omitempty"`

	location string // where the request was redirected to
	ours     bool   // our own endpoint answered, not a proxy
	outcome  egress.CanaryOutcome
}

// webhook posts an event as LiveKit would, along both paths that its events take: the project's
// own webhook, and a path below it such as each request has. The endpoint recognizes the event as
// a probe and passes it to nobody.
func (d *Doctor) webhook(ctx context.Context) Finding {
	switch {
	case d.cfg.PublicURL == "":
		return d.notChecked("REELKEEPER_PUBLIC_URL")
	case d.cfg.APIKey == "" || d.cfg.APISecret == "":
		return d.notChecked("LIVEKIT_API_KEY and LIVEKIT_API_SECRET")
	}
	project := strings.TrimSuffix(d.cfg.PublicURL, "/") + egress.WebhookPath
	own := egress.Token{RequestID: noRoom, Part: 1, MAC: "probe"}.URL(d.cfg.PublicURL)
	var worst Finding
	for i, url := range []string{project, own} {
		p, err := d.post(ctx, url)
		p.outcome = d.outcome(p, err)
		f := judge(p, err)
		f.Path = &p
		if f.Status == Fail {
			return f
		}
		if i == 0 || worst.Status == OK && f.Status != OK {
			worst = f
		}
	}
	return worst
}

// post posts one event and traces it.
func (d *Doctor) post(ctx context.Context, url string) (Path, error) {
	p := Path{URL: redacted(url)}
	body, err := event()
	if err != nil {
		return p, err
	}
	ctx, cancel := context.WithTimeout(ctx, attemptBudget)
	defer cancel()
	steps := &trail{began: map[string]time.Time{}}
	req, err := sender.Request(httptrace.WithClientTrace(ctx, steps.trace()), url, d.cfg.APIKey, d.cfg.APISecret, body)
	if err != nil {
		return p, err
	}
	client := d.client()
	defer client.CloseIdleConnections()
	began := time.Now()
	res, err := client.Do(req)
	steps.tell(&p)
	p.Total = egress.Duration(time.Since(began))
	if err != nil {
		return p, err
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, 1<<10) // the status is the answer
	p.Status, p.location, p.ours = res.StatusCode, redacted(res.Header.Get("Location")), res.Header.Get(egress.HeaderEndpoint) != ""
	if res.TLS != nil && len(res.TLS.PeerCertificates) > 0 {
		until := res.TLS.PeerCertificates[0].NotAfter
		p.CertificateUntil = &until
	}
	return p, nil
}

// event returns the body of a probe.
func event() ([]byte, error) {
	return json.Marshal(map[string]string{
		"event": egress.EventProbe, "id": "EV_" + rand.Text()[:12], "createdAt": fmt.Sprint(time.Now().Unix()),
	})
}

// client connects anew each time, so that the whole path is measured, and follows no redirects,
// like LiveKit's sender.
func (d *Doctor) client() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:             http.ProxyFromEnvironment,
			TLSClientConfig:   &tls.Config{RootCAs: d.cfg.RootCAs},
			ForceAttemptHTTP2: true,
			DisableKeepAlives: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
