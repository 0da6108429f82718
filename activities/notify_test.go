package activities_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/payload"
)

var missed = egress.Notice{
	Concern: egress.ConcernMissed, RequestID: "standup-1", EgressID: "EG_1", Kind: egress.KindRoomComposite, Room: "standup",
	Status: "EGRESS_COMPLETE", EndedBy: egress.FromPoll, EndedAt: time.Unix(1000, 0), Missed: egress.MissedUnclassified, For: egress.Duration(time.Hour),
}

// notify makes one attempt.
func notify(t *testing.T, url string, n egress.Notice) error {
	t.Helper()
	var s testsuite.WorkflowTestSuite
	s.SetLogger(quiet{})
	env := s.NewTestActivityEnvironment()
	env.SetDataConverter(payload.Converter())
	d, err := activities.NewDelivery(activities.DeliveryConfig{NotifyURL: url, Timeout: 5 * time.Second})
	require.NoError(t, err)
	env.RegisterActivity(d.Notify)
	_, err = env.ExecuteActivity(d.Notify, n)
	return err
}

func TestTheHookIsToldInSlacksForm(t *testing.T) {
	t.Parallel()
	var got map[string]string
	url := at(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" || json.NewDecoder(r.Body).Decode(&got) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		_, _ = io.WriteString(w, "ok")
	})
	require.NoError(t, notify(t, url, missed))
	require.Equal(t, map[string]string{"text": missed.Text()}, got)
}

func TestARoomsNameIsNoMarkup(t *testing.T) {
	t.Parallel()
	var got map[string]string
	url := at(t, func(_ http.ResponseWriter, r *http.Request) { _ = json.NewDecoder(r.Body).Decode(&got) })
	n := missed
	n.Room = "<!channel> & <https://evil.example|here> @everyone"
	require.NoError(t, notify(t, url, n))
	require.Contains(t, got["text"], `"&lt;!channel&gt; &amp; &lt;https://evil.example|here&gt; @`)
	require.NotContains(t, got["text"], "<")
	require.NotContains(t, got["text"], "@everyone")
}

func TestWhatTheHookDoesNotTakeIsTriedAgain(t *testing.T) {
	t.Parallel()
	for status, delay := range map[int]time.Duration{
		301: 0, 302: 0, 408: 0, 429: 0, 500: 0, 502: 0, 503: 0,
		400: 15 * time.Minute, 401: 15 * time.Minute, 403: 15 * time.Minute, 404: 15 * time.Minute, 410: 15 * time.Minute,
	} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			url := at(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "http://CANARY.example")
				w.WriteHeader(status)
				_, _ = io.WriteString(w, "CANARY")
			})
			a, e := failed(t, notify(t, url+"/services/CANARY", missed))
			require.Equal(t, egress.ConsumerFailed, e.Reason)
			require.False(t, a.NonRetryable())
			require.Equal(t, delay, a.NextRetryDelay())
			require.Equal(t, fmt.Sprintf("the notification hook answered %d %s", status, http.StatusText(status)), e.Message)
		})
	}
}

func TestAHookThatDoesNotAnswerIsTriedAgainAndNotNamed(t *testing.T) {
	t.Parallel()
	hangs := at(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	for name, url := range map[string]string{"refuses": refusing + "/CANARY", "hangs": hangs + "/CANARY"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := notify(t, url, missed)
			a, e := failed(t, err)
			require.False(t, a.NonRetryable())
			require.Contains(t, e.Message, "the notification hook could not be reached")
			require.NotContains(t, err.Error(), "CANARY", "it may be a token")
		})
	}
}

func TestAWorkerWithoutTheHookLeavesItToAnother(t *testing.T) {
	t.Parallel()
	a, e := failed(t, notify(t, "", missed))
	require.False(t, a.NonRetryable())
	require.Equal(t, "REELKEEPER_NOTIFY_URL", e.Field)
	require.Equal(t, 15*time.Minute, a.NextRetryDelay())
}
