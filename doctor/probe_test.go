package doctor_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/doctor"
	"github.com/reelkeeper/reelkeeper/egress"
)

func TestAProbeIsClassedAsTheDoctorJudgesIt(t *testing.T) {
	t.Parallel()
	answer := func(status int) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
	}
	own := endpoint(t)
	for name, tc := range map[string]struct {
		serves http.Handler
		secret string
		want   egress.CanaryOutcome
	}{
		"our endpoint":              {own, apiSecret, egress.CanaryOK},
		"our endpoint, another key": {own, "another secret", egress.CanaryUnavailable},
		"a proxy's 502":             {answer(502), apiSecret, egress.CanaryUnavailable},
		"a proxy's 429":             {answer(429), apiSecret, egress.CanaryUnavailable},
		"a proxy's 404":             {answer(404), apiSecret, egress.CanaryBent},
		"a redirect":                {answer(301), apiSecret, egress.CanaryBent},
		"somebody else's 200":       {answer(200), apiSecret, egress.CanaryBent},
		"only the project's path": {http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != egress.WebhookPath {
				w.WriteHeader(http.StatusNotFound)
				return
			}
			own.ServeHTTP(w, r)
		}), apiSecret, egress.CanaryBent},
		"our endpoint behind a slow proxy": {http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			<-time.After(1100 * time.Millisecond)
			own.ServeHTTP(w, r)
		}), apiSecret, egress.CanarySlow},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := doctor.Config{APIKey: apiKey, APISecret: tc.secret, PublicURL: serve(t, tc.serves), SlowAfter: time.Minute}
			if tc.want == egress.CanarySlow {
				c.SlowAfter = 0 // as it ships
			}
			p := doctor.New(c).Probe(t.Context())
			require.Equal(t, tc.want, p.Outcome, "%+v", p)
			require.NotEmpty(t, p.Found)
			require.Equal(t, p.Outcome == egress.CanaryOK, p.Fix == "")
			require.Positive(t, p.Took)
			require.NotContains(t, p.Found+p.Fix, tc.secret)
		})
	}
}

func TestAProbeThatNobodyAnswersIsUnreachable(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]string{"nobody listens": "http://127.0.0.1:1", "no way is set": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := doctor.New(doctor.Config{APIKey: apiKey, APISecret: apiSecret, PublicURL: url}).Probe(t.Context())
			require.Equal(t, egress.CanaryUnreachable, p.Outcome)
			require.NotEmpty(t, p.Fix)
		})
	}
}
