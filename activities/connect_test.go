package activities_test

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// remote is a LiveKit to which connecting, and each answer, take their time.
type remote struct {
	*api
	connects, answers time.Duration
	client            http.Client
	asked             atomic.Int32
}

func (r *remote) dial(context.Context, string, string) (net.Conn, error) {
	pass(r.connects)
	ours, theirs := net.Pipe()
	go r.serve(theirs)
	return ours, nil
}

func (r *remote) serve(c net.Conn) {
	defer c.Close()
	if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
		return
	}
	r.asked.Add(1)
	pass(r.answers)
	_, _ = c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
}

func (r *remote) Start(ctx context.Context, _ egress.Request) (*lk.EgressInfo, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://livekit.example.com", http.NoBody)
	if err != nil {
		return nil, err
	}
	answer, err := r.client.Do(req)
	if err != nil {
		return nil, &egress.Error{Reason: egress.Ambiguous, Message: err.Error(), Err: err}
	}
	return status(lk.EgressStatus_EGRESS_STARTING), answer.Body.Close()
}

// A front door may have asked by then.
func TestAStartThatIsConnectedTooLateIsNeverSent(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		in       func() activities.StartRequest
		connects time.Duration
		want     egress.Reason
		asked    int32
		took     time.Duration
	}{
		"connected after its time":                 {func() activities.StartRequest { return by(2 * time.Second) }, 3 * time.Second, egress.HandedBack, 0, 2 * time.Second},
		"connected in time, and answered after it": {func() activities.StartRequest { return by(2 * time.Second) }, time.Second, "", 1, 6 * time.Second},
		"of no such time":                          {func() activities.StartRequest { return plain(roomRequest()) }, time.Minute, "", 1, 65 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				livekit := &remote{api: &api{onList: lists()}, connects: tc.connects, answers: 5 * time.Second}
				transport := &http.Transport{DialContext: livekit.dial}
				livekit.client.Transport = transport
				began := time.Now()
				env := newEnv(livekit.api)
				a := activities.NewLiveKit(activities.Config{PublicURL: publicURL, KeyNames: projectKeys}, livekit, keys(t))
				env.RegisterActivity(a.Start)
				_, err := env.ExecuteActivity(a.Start, tc.in())
				require.Equal(t, tc.took, time.Since(began), "%v", err)
				pass(time.Minute) // the connection is made all the same
				transport.CloseIdleConnections()
				require.Equal(t, tc.asked, livekit.asked.Load())
				if tc.want == "" {
					require.NoError(t, err)
					return
				}
				_, e := failed(t, err)
				require.Equal(t, tc.want, e.Reason)
				require.Contains(t, e.Message, "no connection to LiveKit")
			})
		})
	}
}
