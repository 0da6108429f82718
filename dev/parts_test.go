package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	lksdk "github.com/livekit/server-sdk-go/v2"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
	"github.com/reelkeeper/reelkeeper/internal/sender"
)

// instanceAt returns an instance before its parts are started.
func instanceAt(t *testing.T, o instanceOptions) *instance {
	t.Helper()
	i := &instance{}
	ctx, cancel := context.WithCancel(t.Context())
	i.cancel = cancel
	i.parts, i.ctx = errgroup.WithContext(ctx)
	var err error
	i.place, err = o.place()
	require.NoError(t, err)
	i.lock, err = lockState(o.stateDir)
	require.NoError(t, err)
	return i
}

// sign posts an event as LiveKit would, and returns the answer.
func sign(t *testing.T, url, event string) int {
	t.Helper()
	body := fmt.Appendf(nil, `{"event":%q,"id":"EV_1","egressInfo":{"egressId":"EG_1"}}`, event)
	req, err := sender.Request(t.Context(), url, devKey, devSecret, body)
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	return res.StatusCode
}

func TestAPartThatFailsEndsTheInstance(t *testing.T) {
	t.Parallel()
	p, err := freePorts()
	require.NoError(t, err)
	i := instanceAt(t, options(t, p))
	require.NoError(t, i.serve("starter", p.starter, http.NotFoundHandler()))
	i.parts.Go(func() error { return io.ErrUnexpectedEOF })
	<-i.failed()
	require.ErrorIs(t, i.stop(), io.ErrUnexpectedEOF)
	requireNone(t, func() error { return check("starter", p.starter) }) // its other parts have ended too
}

// instanceOfAFastFake returns an instance before its parts are started, with a fake LiveKit that is
// fast.
func instanceOfAFastFake(t *testing.T) (*instance, instanceOptions) {
	t.Helper()
	p, err := freePorts()
	require.NoError(t, err)
	o := options(t, p)
	o.fake = fakelivekit.Config{Timings: fakelivekit.DefaultTimings().Scaled(0.01)}
	return instanceAt(t, o), o
}

func TestTheFakeLiveKitHasARoomWithPeopleAndTellsTheStarter(t *testing.T) {
	t.Parallel()
	i, o := instanceOfAFastFake(t)
	told := make(chan string, 100)
	require.NoError(t, i.serve("starter", o.ports.starter, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { told <- r.URL.Path })))
	require.NoError(t, i.startFake(o))
	require.Equal(t, egress.WebhookPath, <-told) // its room has begun
	require.ErrorContains(t, i.startFake(o), "fake LiveKit", "its port is taken by now")
	require.NoError(t, i.stop())
}

func TestTheRoomThatIsDeletedIsOpenedAgain(t *testing.T) {
	t.Parallel()
	i, o := instanceOfAFastFake(t)
	require.NoError(t, i.startFake(o))
	rooms := lksdk.NewRoomServiceClient(i.place.LiveKit, devKey, devSecret)
	sid := func() string {
		list, err := rooms.ListRooms(t.Context(), &livekit.ListRoomsRequest{Names: []string{demoRoom}})
		require.NoError(t, err)
		if len(list.GetRooms()) == 0 {
			return ""
		}
		return list.GetRooms()[0].GetSid()
	}
	first := sid()
	require.NotEmpty(t, first)
	_, err := rooms.DeleteRoom(t.Context(), &livekit.DeleteRoomRequest{Room: demoRoom})
	require.NoError(t, err)
	require.Eventually(t, func() bool { again := sid(); return again != "" && again != first }, time.Minute, 50*time.Millisecond)
	require.NoError(t, i.stop())
}

func TestWithTheUsersOwnServersNoStandInIsStarted(t *testing.T) {
	t.Parallel()
	p, err := freePorts()
	require.NoError(t, err)
	o := options(t, p)
	o.environ = ownServers()
	i := instanceAt(t, o)
	require.NoError(t, i.startFake(o))
	require.NoError(t, i.startTemporal(t.Context(), o))
	require.Nil(t, i.fake)
	require.Nil(t, i.temporal)
	require.NoError(t, i.stop())
}
