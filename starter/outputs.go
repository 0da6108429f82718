package main

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/livekit/protocol/livekit"
	"github.com/urfave/cli/v3"

	"github.com/reelkeeper/reelkeeper/egress"
)

// outputs say where a recording goes, named as in LiveKit's requests.
type outputs struct {
	files    []*livekit.EncodedFileOutput
	segments []*livekit.SegmentedFileOutput
	streams  []*livekit.StreamOutput
	preset   *livekit.EncodingOptionsPreset
}

// placeholders are those that LiveKit fills in for each kind; it leaves any other as it is.
var placeholders = map[egress.Kind]string{
	egress.KindRoomComposite:  "{room_name}, {room_id}, {time}",
	egress.KindParticipant:    "{room_name}, {room_id}, {time}, {publisher_identity}",
	egress.KindTrackComposite: "{room_name}, {room_id}, {time}, {publisher_identity}",
	egress.KindTrack:          "{room_name}, {room_id}, {time}, {publisher_identity}, {track_id}, {track_type}, {track_source}",
	egress.KindWeb:            "{time}",
}

// fileFlag adds the placeholder that we fill in ourselves, for every kind.
func fileFlag(k egress.Kind) cli.Flag {
	return &cli.StringFlag{Name: "file", Usage: "record to the file `PATH`, which may hold " + placeholders[k] + " and {part}"}
}

// outputFlags adds the flags of encoded outputs, named like LiveKit's.
func outputFlags(k egress.Kind, flags ...cli.Flag) []cli.Flag {
	return append(flags,
		fileFlag(k),
		&cli.StringFlag{Name: "segments", Usage: "record HLS segments whose names begin with `PREFIX`"},
		&cli.StringFlag{Name: "playlist", Usage: "`NAME` of the segments' playlist"},
		&cli.StringSliceFlag{Name: "stream", Usage: "stream to an rtmp or srt `URL`; may be repeated"},
		&cli.StringFlag{Name: "preset", Usage: "encoding `PRESET`: " + strings.Join(presets(), ", ")},
	)
}

func roomFlag() cli.Flag      { return &cli.StringFlag{Name: "room", Usage: "`NAME` of the room"} }
func audioOnlyFlag() cli.Flag { return &cli.BoolFlag{Name: "audio-only", Usage: "record no video"} }
func videoOnlyFlag() cli.Flag { return &cli.BoolFlag{Name: "video-only", Usage: "record no audio"} }
func jsonFlag(usage string) cli.Flag {
	return &cli.BoolFlag{Name: "json", Usage: usage}
}

// readOutputs requires at least one output: LiveKit rejects a request without one, but cannot name
// the flag.
func readOutputs(c *cli.Command) (outputs, error) {
	var o outputs
	file, segments, playlist, streams := c.String("file"), c.String("segments"), c.String("playlist"), c.StringSlice("stream")
	if file == "" && segments == "" && playlist == "" && len(streams) == 0 {
		return o, egress.Invalidf("--file, --segments or --stream", "one output is needed")
	}
	if file != "" {
		o.files = append(o.files, &livekit.EncodedFileOutput{Filepath: file})
	}
	if segments != "" || playlist != "" {
		o.segments = append(o.segments, &livekit.SegmentedFileOutput{FilenamePrefix: segments, PlaylistName: playlist})
	}
	if err := o.addStreams(streams); err != nil {
		return o, err
	}
	err := o.setPreset(c.String("preset"))
	return o, err
}

// addStreams makes one output per protocol, as LiveKit requires.
func (o *outputs) addStreams(urls []string) error {
	byProtocol := map[livekit.StreamProtocol]*livekit.StreamOutput{}
	for _, raw := range urls {
		if err := checkURL("--stream", raw, "rtmp", "rtmps", "srt"); err != nil {
			return err
		}
		protocol := livekit.StreamProtocol_RTMP
		if strings.HasPrefix(strings.ToLower(raw), "srt:") {
			protocol = livekit.StreamProtocol_SRT
		}
		if byProtocol[protocol] == nil {
			byProtocol[protocol] = &livekit.StreamOutput{Protocol: protocol}
			o.streams = append(o.streams, byProtocol[protocol])
		}
		byProtocol[protocol].Urls = append(byProtocol[protocol].Urls, raw)
	}
	return nil
}

// setPreset accepts LiveKit's own names.
func (o *outputs) setPreset(name string) error {
	if name == "" {
		return nil
	}
	v, ok := livekit.EncodingOptionsPreset_value[name]
	if !ok {
		return egress.Invalidf("--preset", "%q is not a preset; want one of %s", name, strings.Join(presets(), ", "))
	}
	p := livekit.EncodingOptionsPreset(v)
	o.preset = &p
	return nil
}

// presets returns the names of LiveKit's encoding presets.
func presets() []string { return slices.Sorted(maps.Keys(livekit.EncodingOptionsPreset_value)) }

// asFlag replaces the field in an error of package egress by the flag. A variable keeps its own
// name.
func asFlag(err error) error {
	var e *egress.Error
	if errors.As(err, &e) && e.Field != "" && e.Field != strings.ToUpper(e.Field) {
		flag := *e
		flag.Field = "--" + strings.ReplaceAll(e.Field, "_", "-")
		return &flag
	}
	return err
}

// asGiven does so for these fields alone, if their flag was given: others are LiveKit's own.
func asGiven(c *cli.Command, err error, fields ...string) error {
	if e, ok := errors.AsType[*egress.Error](err); ok && slices.Contains(fields, e.Field) && c.IsSet(e.Field) {
		return asFlag(err)
	}
	return err
}
