package main

import (
	"net/url"
	"slices"
	"strings"

	"github.com/livekit/protocol/livekit"
	"github.com/urfave/cli/v3"

	"github.com/reelkeeper/reelkeeper/egress"
)

// need returns a flag's value, or an error that says what the flag must name.
func need(c *cli.Command, flag, what string) (string, error) {
	if v := c.String(flag); v != "" {
		return v, nil
	}
	return "", egress.Invalidf("--"+flag, "is missing; name %s", what)
}

// room returns the room, which every kind but a web page needs.
func room(c *cli.Command) (string, error) { return need(c, "room", "the room to record") }

// roomComposite records a whole room, as its layout shows it.
func roomComposite(c *cli.Command, out outputs) (egress.Request, error) {
	name, err := room(c)
	if err != nil {
		return nil, err
	}
	if err := checkOnly(c); err != nil {
		return nil, err
	}
	if base := c.String("base-url"); base != "" {
		if err := checkURL("--base-url", base, "http", "https"); err != nil {
			return nil, err
		}
	}
	r := &livekit.RoomCompositeEgressRequest{
		RoomName: name, Layout: c.String("layout"), CustomBaseUrl: c.String("base-url"),
		AudioOnly: c.Bool("audio-only"), VideoOnly: c.Bool("video-only"),
		FileOutputs: out.files, SegmentOutputs: out.segments, StreamOutputs: out.streams,
	}
	if out.preset != nil {
		r.Options = &livekit.RoomCompositeEgressRequest_Preset{Preset: *out.preset}
	}
	return r, nil
}

// participant records one person, who may join later and reconnect.
func participant(c *cli.Command, out outputs) (egress.Request, error) {
	name, err := room(c)
	if err != nil {
		return nil, err
	}
	identity, err := need(c, "identity", "the participant to record")
	if err != nil {
		return nil, err
	}
	r := &livekit.ParticipantEgressRequest{
		RoomName: name, Identity: identity, ScreenShare: c.Bool("screen-share"),
		FileOutputs: out.files, SegmentOutputs: out.segments, StreamOutputs: out.streams,
	}
	if out.preset != nil {
		r.Options = &livekit.ParticipantEgressRequest_Preset{Preset: *out.preset}
	}
	return r, nil
}

// trackComposite records at most one audio and one video track.
func trackComposite(c *cli.Command, out outputs) (egress.Request, error) {
	name, err := room(c)
	if err != nil {
		return nil, err
	}
	if c.String("audio-track") == "" && c.String("video-track") == "" {
		return nil, egress.Invalidf("--audio-track or --video-track", "one track is needed")
	}
	r := &livekit.TrackCompositeEgressRequest{
		RoomName: name, AudioTrackId: c.String("audio-track"), VideoTrackId: c.String("video-track"),
		FileOutputs: out.files, SegmentOutputs: out.segments, StreamOutputs: out.streams,
	}
	if out.preset != nil {
		r.Options = &livekit.TrackCompositeEgressRequest_Preset{Preset: *out.preset}
	}
	return r, nil
}

// track records one track without encoding it, so it has no preset.
func track(c *cli.Command) (egress.Request, error) {
	name, err := room(c)
	if err != nil {
		return nil, err
	}
	id, err := need(c, "track", "the track to record")
	if err != nil {
		return nil, err
	}
	r := &livekit.TrackEgressRequest{RoomName: name, TrackId: id}
	switch file, stream := c.String("file"), c.String("stream"); {
	case file != "" && stream != "":
		return nil, egress.Invalidf("--file and --stream", "a track goes to only one of them; give one")
	case file != "":
		r.Output = &livekit.TrackEgressRequest_File{File: &livekit.DirectFileOutput{Filepath: file}}
	case stream != "":
		if err := checkURL("--stream", stream, "ws", "wss"); err != nil {
			return nil, err
		}
		r.Output = &livekit.TrackEgressRequest_WebsocketUrl{WebsocketUrl: stream}
	default:
		return nil, egress.Invalidf("--file or --stream", "one output is needed")
	}
	return r, nil
}

// webPage records any page, without a room.
func webPage(c *cli.Command, out outputs) (egress.Request, error) {
	page, err := need(c, "url", "the page to record")
	if err != nil {
		return nil, err
	}
	if err := checkURL("--url", page, "http", "https"); err != nil {
		return nil, err
	}
	if err := checkOnly(c); err != nil {
		return nil, err
	}
	r := &livekit.WebEgressRequest{
		Url: page, AudioOnly: c.Bool("audio-only"), VideoOnly: c.Bool("video-only"),
		FileOutputs: out.files, SegmentOutputs: out.segments, StreamOutputs: out.streams,
	}
	if out.preset != nil {
		r.Options = &livekit.WebEgressRequest_Preset{Preset: *out.preset}
	}
	return r, nil
}

// checkOnly rejects a request for neither audio nor video.
func checkOnly(c *cli.Command) error {
	if c.Bool("audio-only") && c.Bool("video-only") {
		return egress.Invalidf("--audio-only and --video-only", "together leave nothing to record")
	}
	return nil
}

// checkURL never shows the URL: URLs of streams, pages and webhooks contain keys.
func checkURL(field, raw string, schemes ...string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || !slices.Contains(schemes, strings.ToLower(u.Scheme)) {
		return egress.Invalidf(field, "want a URL that begins with %s://", strings.Join(schemes, ":// or "))
	}
	return nil
}
