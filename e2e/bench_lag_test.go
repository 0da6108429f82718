package e2e

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// lagScale is how much faster than by default all looks are in BenchmarkLag: a second there is 10 s
// of a real installation.
const lagScale = 10

// BenchmarkLag measures how late we hear of an end while every webhook of the egresses is lost:
// when the room's own webhooks arrive, and when those are lost too.
func BenchmarkLag(b *testing.B) {
	const lives = 100
	for name, lost := range map[string]float64{"room webhooks come": 0, "no webhook comes": 1} {
		b.Run(name, func(b *testing.B) {
			s := newStage(b, func(fake *fakelivekit.Config, environ map[string]string) {
				fake.WebhookURLs = []string{environ["REELKEEPER_PUBLIC_URL"] + egress.WebhookPath}
				fake.Faults = map[fakelivekit.Fault]float64{fakelivekit.WebhookLost: 1, fakelivekit.RoomWebhookLost: lost}
				environ["REELKEEPER_LOOK_STARTING"], environ["REELKEEPER_LOOK_ACTIVE"] = "1500ms,3s,6s", "30s"
				environ["REELKEEPER_LOOK_ENDING"] = "2s,4s,6s"
				environ["REELKEEPER_LIVEKIT_REQUESTS_PER_MINUTE"] = "600000"
			})
			s.startWorker()
			for b.Loop() {
				late := make([]time.Duration, lives)
				var g errgroup.Group
				for n := range lives {
					g.Go(func() (err error) {
						late[n], err = s.lag(b.Name()+strconv.Itoa(b.N)+"-"+strconv.Itoa(n), time.Duration(n)*300*time.Millisecond)
						return err
					})
				}
				require.NoError(b, g.Wait())
				for n := range late {
					late[n] *= lagScale
				}
				s.figures.addTimes("lag", late)
			}
			s.figures.report(b)
		})
	}
}

// lag returns how late we hear of the end of one recording that lasts for a while.
func (s *stage) lag(room string, while time.Duration) (time.Duration, error) {
	if err := s.fake.AddRoom(room, fakelivekit.RoomScript{}); err != nil {
		return 0, err
	}
	r, err := s.client.Start(s.ctx, egress.StartOptions{Request: composite(room)})
	if err != nil {
		return 0, err
	}
	<-time.After(time.Second + while) // a recording has some length
	if err := s.fake.EndCall(room); err != nil {
		return 0, err
	}
	v, err := s.client.Wait(s.ctx, r.RequestID)
	return v.Late.D(), err
}
