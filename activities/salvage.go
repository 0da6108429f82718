package activities

import (
	"context"
	"fmt"
	"time"

	"github.com/reelkeeper/reelkeeper/egress"
)

const (
	playlistType  = "application/vnd.apple.mpegurl"
	mostLeftovers = 10  // sets of segments of one egress
	mostMeasured  = 100 // segments that are probed for their length
)

// salvage finds the segments that an egress left behind which failed or is lost. LiveKit
// expects nothing to be there, so that nothing is missing.
func (l *looker) salvage(ctx context.Context, to []egress.Destination) (egress.MediaReport, error) {
	report := egress.Unchecked(fmt.Sprintf("it ended as %s, so that no media is expected", l.in.Status))
	sets, until := 0, aThirdOf(ctx)
	for _, d := range to {
		if d.Kind != egress.OutputSegments {
			continue
		}
		left, b, err := l.leftovers(ctx, d)
		if why, err := unseen(err); err != nil {
			return report, err
		} else if why != "" {
			report.Because += "; " + d.Field + " " + why
			continue
		}
		for _, set := range left[:min(len(left), mostLeftovers-sets)] {
			sets++
			if err := l.keep(ctx, until, b, d, set, &report); err != nil {
				return report, err
			}
		}
	}
	if sets == 0 {
		report.Because += "; no segments were left behind"
	}
	return report, nil
}

func (l *looker) leftovers(ctx context.Context, d egress.Destination) ([]egress.Leftover, Bucket, error) {
	prefix := egress.SalvagePrefix(l.in.Info, d)
	if prefix == "" {
		return nil, nil, nil // the whole bucket would match
	}
	b, err := l.bucket(ctx, d)
	if err != nil {
		return nil, nil, err
	}
	listed, err := b.List(ctx, prefix, mostListed)
	if err != nil {
		return nil, nil, err
	}
	var began time.Time
	if at := l.in.Info.Proto().GetStartedAt(); at > 0 {
		began = time.Unix(0, at)
	}
	return egress.Salvage(l.in.Info, d, listed, began, l.in.HeardAt), b, nil
}

// aThirdOf the time that is left may go into playing segments: to list them and to write of
// them matters more.
func aThirdOf(ctx context.Context) time.Time {
	now := time.Now()
	if end, ok := ctx.Deadline(); ok {
		return now.Add(end.Sub(now) / 3)
	}
	return now.Add(time.Minute)
}

// keep lists a set, and makes a playlist beside it. Segments are played until a time.
func (l *looker) keep(ctx context.Context, until time.Time, b Bucket, d egress.Destination, set egress.Leftover, report *egress.MediaReport) error {
	known := l.known(ctx, b, d)
	segments, source := set.Lengths(d, known, l.measure(ctx, until, b, set, known))
	found := egress.FindSegments(segments, set.Segments)
	report.Files = append(report.Files, egress.MediaFile{
		Kind: egress.OutputSegments, Path: set.Base, Count: found.Count, Size: found.Size, Length: found.Length, Media: egress.MediaPresent,
	})
	text := egress.WritePlaylist(set.Playlist(), segments)
	said := "a playlist of them is " + set.Playlist()
	switch err := b.Create(ctx, set.Playlist(), playlistType, text); {
	case err == nil, egress.ReasonOf(err) == egress.Conflict: // an earlier attempt's, or somebody's who was faster
		report.Files = append(report.Files, egress.MediaFile{
			Kind: egress.OutputSalvage, Path: set.Playlist(), Size: int64(len(text)), Length: found.Length, Media: egress.MediaPresent,
		})
	default:
		why, err := unseen(err)
		if err != nil {
			return err
		}
		said = "no playlist was made of them, since " + set.Playlist() + " " + why
	}
	report.Because += fmt.Sprintf("; %d segments were left behind at %s, %s in all by %s; %s",
		found.Count, set.Base, found.Length.D().Round(time.Second), source, said)
	return nil
}

// known are the lengths in the playlists that LiveKit wrote along the way, if it did.
func (l *looker) known(ctx context.Context, b Bucket, d egress.Destination) map[string]egress.Duration {
	lengths := map[string]egress.Duration{}
	for _, w := range egress.Wants(l.in.Info, []egress.Destination{d}) {
		if w.File.Kind != egress.OutputPlaylist || w.To.Field != d.Field {
			continue
		}
		segments, _, err := readPlaylist(ctx, b, w.File.Path)
		if err != nil { // it is a help, not a need
			continue
		}
		for _, s := range segments {
			lengths[s.Path] = s.Length
		}
	}
	return lengths
}

// measure probes the segments whose lengths are not known, until a time.
func (l *looker) measure(ctx context.Context, until time.Time, b Bucket, set egress.Leftover, known map[string]egress.Duration) map[string]egress.Duration {
	lengths := map[string]egress.Duration{}
	if l.cfg.Probe == nil {
		return lengths
	}
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	for _, o := range set.Segments[:min(len(set.Segments), mostMeasured)] {
		if ctx.Err() != nil {
			break
		}
		if known[o.Path] != 0 {
			continue
		}
		if length, err := l.length(ctx, b, o.Path, o.Size); err == nil {
			lengths[o.Path] = length
		}
	}
	return lengths
}
