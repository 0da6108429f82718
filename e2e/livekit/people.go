package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/livekit/protocol/livekit"
	lksdk "github.com/livekit/server-sdk-go/v2"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"
)

// patience is how long a track may take to go on the air.
const patience = 20 * time.Second

// people are the participants in rooms, by room and identity.
type people struct {
	account
	mu    sync.Mutex
	rooms map[string]*lksdk.Room
}

func newPeople(a account) *people { return &people{account: a, rooms: map[string]*lksdk.Room{}} }

// control is how a test steers them: PUT makes somebody join, and answers once the camera is seen; DELETE makes them
// leave.
func (p *people) control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /rooms/{room}/people/{identity}", func(w http.ResponseWriter, r *http.Request) {
		if err := p.join(r.PathValue("room"), r.PathValue("identity"), r.URL.Query().Has("audio")); err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
		}
	})
	mux.HandleFunc("DELETE /rooms/{room}/people/{identity}", func(_ http.ResponseWriter, r *http.Request) {
		p.leave(r.PathValue("room"), r.PathValue("identity"))
	})
	return mux
}

func (p *people) join(room, identity string, audioOnly bool) error {
	r, err := lksdk.ConnectToRoom(p.url, lksdk.ConnectInfo{
		APIKey: p.key, APISecret: p.secret, RoomName: room, ParticipantIdentity: identity,
	}, nil, lksdk.WithAutoSubscribe(false))
	if err != nil {
		return fmt.Errorf("join %s: %w", room, err)
	}
	p.mu.Lock()
	p.rooms[room+"/"+identity] = r
	p.mu.Unlock()
	if err := publish(r, microphone, "audio", livekit.TrackSource_MICROPHONE); err != nil {
		return err
	}
	if audioOnly {
		return nil
	}
	return publish(r, camera, "video", livekit.TrackSource_CAMERA)
}

func (p *people) leave(room, identity string) {
	p.mu.Lock()
	r := p.rooms[room+"/"+identity]
	delete(p.rooms, room+"/"+identity)
	p.mu.Unlock()
	if r != nil {
		r.Disconnect()
	}
}

// The two codecs that everybody supports.
var (
	microphone = webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}
	camera     = webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: 90000}
)

// publish returns once the track is on the air: livekit-server announces it with its first packet.
func publish(r *lksdk.Room, codec webrtc.RTPCodecCapability, name string, source livekit.TrackSource) error {
	track, err := lksdk.NewLocalSampleTrack(codec)
	if err != nil {
		return err
	}
	bound := make(chan struct{})
	track.OnBind(sync.OnceFunc(func() { close(bound) }))
	_, err = r.LocalParticipant.PublishTrack(track, &lksdk.TrackPublicationOptions{
		Name: name, Source: source, VideoWidth: 640, VideoHeight: 360, Stream: "camera",
	})
	if err != nil {
		return fmt.Errorf("publish %s: %w", name, err)
	}
	select {
	case <-bound:
	case <-time.After(patience):
		return fmt.Errorf("publish %s: nobody took it", name)
	}
	return track.StartWrite(&silence{video: codec.MimeType == webrtc.MimeTypeVP8}, nil)
}

// silence is 20 ms of silence, or a black VP8 key frame.
type silence struct {
	lksdk.BaseSampleProvider
	video bool
}

// NextSample returns the next sample to send.
func (s *silence) NextSample(context.Context) (media.Sample, error) {
	if s.video {
		return media.Sample{Data: blackFrame, Duration: 100 * time.Millisecond}, nil
	}
	return media.Sample{Data: silentFrame, Duration: frameLength}, nil
}

// blackFrame begins like a VP8 key frame of 640 × 360; nobody decodes the rest.
var blackFrame = append([]byte{0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01}, make([]byte, 40)...)
