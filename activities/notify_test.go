package activities_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
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
	d, err := activities.NewDelivery(activities.DeliveryConfig{NotifyURL: url, Timeout: 5 * time.Second})
	require.NoError(t, err)
	return notifyBy(d, n)
}

func notifyBy(d *activities.Delivery, n egress.Notice) error {
	var s testsuite.WorkflowTestSuite
	s.SetLogger(quiet{})
	env := s.NewTestActivityEnvironment()
	env.SetDataConverter(payload.Converter())
	env.RegisterActivity(d.Notify)
	_, err := env.ExecuteActivity(d.Notify, n)
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

// Discord refuses what is longer, however often it is sent.
func TestAMessageIsNoLongerThanAChatTakes(t *testing.T) {
	t.Parallel()
	var got map[string]string
	url := at(t, func(_ http.ResponseWriter, r *http.Request) { _ = json.NewDecoder(r.Body).Decode(&got) })
	n := missed
	n.RequestID, n.Step, n.Fix = strings.Repeat("i", 128), strings.Repeat("s", 100), strings.Repeat("f", 450)
	for _, room := range []string{strings.Repeat("&", 256), strings.Repeat("\x01", 256), strings.Repeat("\u202e", 85), "standup"} {
		for _, because := range []string{strings.Repeat("<", 900), strings.Repeat("\u3000", 300), egress.WhyIdle} {
			for _, n.Concern = range []egress.Concern{egress.ConcernMissed, egress.ConcernLost, egress.ConcernMedia, egress.ConcernStuck, egress.ConcernBroken, egress.ConcernHealed} {
				n.Room, n.Because = room, because
				require.NoError(t, notify(t, url, n))
				require.LessOrEqual(t, len(got["text"]), 2000, "%q", n)
				whole := n.Text()
				require.True(t, strings.HasSuffix(got["text"], whole[strings.LastIndex(whole, "\n"):]), "what to do about it")
			}
		}
	}
	n = missed
	n.Room, n.Because = strings.Repeat("&", 150), strings.Repeat("r", 900)
	require.NoError(t, notify(t, url, n))
	require.Contains(t, got["text"], strings.Repeat("&amp;", 100)+"…")
	require.Contains(t, got["text"], n.Because, "there is room for it")
	n.Room, n.Because = n.Room[:100], strings.Repeat("r", 1500)
	require.NoError(t, notify(t, url, n))
	require.Contains(t, got["text"], strings.Repeat("&amp;", 100)+`"`)
	require.Contains(t, got["text"], strings.Repeat("r", 900)+"….\n")
	require.Len(t, got["text"], 2000)
}

func TestWhatTheHookDoesNotTakeIsTriedAgain(t *testing.T) {
	t.Parallel()
	for status, delay := range map[int]time.Duration{
		301: time.Second, 302: time.Second, 408: time.Second, 429: time.Second, 500: time.Second, 502: time.Second, 503: time.Second,
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
			require.InEpsilon(t, delay, a.NextRetryDelay(), 0.21, "those that failed together come again apart")
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
			require.InEpsilon(t, time.Second, a.NextRetryDelay(), 0.21)
			require.NotContains(t, err.Error(), "CANARY", "it may be a token")
		})
	}
}

func TestWhenTheHookWantsToBeAskedAgainIsHonoured(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
		for after, least := range map[string]time.Duration{"60": time.Minute, "86400": 15 * time.Minute} {
			a, _ := failed(t, notify(t, at(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", after)
				w.WriteHeader(status)
			}), missed))
			require.GreaterOrEqual(t, a.NextRetryDelay(), least)
			require.LessOrEqual(t, a.NextRetryDelay(), least*6/5)
		}
	}
}

func TestAHookThatHangsHoldsAFewSlotsAndNoMore(t *testing.T) {
	t.Parallel()
	const all, places = 20, 2
	hang, inside := make(chan struct{}), make(chan struct{}, all)
	hook := &crowd{takes: func(context.Context) {
		inside <- struct{}{}
		<-hang
	}}
	d, err := activities.NewDelivery(activities.DeliveryConfig{NotifyURL: at(t, hook.ServeHTTP), Timeout: time.Minute, PerHost: places})
	require.NoError(t, err)
	goOn := sync.OnceFunc(func() { close(hang) })
	defer goOn()
	results := make(chan error, all)
	for range all {
		go func() { results <- notifyBy(d, missed) }()
	}
	for range places {
		<-inside
	}
	for range all - places {
		select {
		case err := <-results:
			a, e := failed(t, err)
			require.Equal(t, egress.HeldBack, e.Reason)
			require.InEpsilon(t, time.Second, a.NextRetryDelay(), 0.51)
		case <-inside:
			t.Fatal("there are more places")
		}
	}
	goOn()
	for range places {
		require.NoError(t, <-results)
	}
	require.NoError(t, notifyBy(d, missed), "there is a place again")
}

func TestAWorkerWithoutTheHookLeavesItToAnother(t *testing.T) {
	t.Parallel()
	a, e := failed(t, notify(t, "", missed))
	require.False(t, a.NonRetryable())
	require.Equal(t, "REELKEEPER_NOTIFY_URL", e.Field)
	require.Equal(t, 15*time.Minute, a.NextRetryDelay())
}
