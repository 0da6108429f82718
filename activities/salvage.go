package activities

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/reelkeeper/reelkeeper/egress"
)

const (
	playlistType = "application/vnd.apple.mpegurl"
	mostMeasured = 100 // segments that are probed for their length
)

// salvage finds the segments that a failed or lost egress left behind, and the files and images of
// a lost one. LiveKit expects no media, so nothing counts as missing.
func (l *looker) salvage(ctx context.Context, to []egress.Destination) (egress.MediaReport, error) {
	report := egress.Unchecked(fmt.Sprintf("it ended as %s, so that no media is expected", l.in.Status))
	until := share(ctx, 3)
	if l.in.Status == egress.Lost {
		if err := l.left(ctx, until, to, &report); err != nil {
			return report, err
		}
	}
	for _, d := range to {
		if d.Kind != egress.OutputSegments {
			continue
		}
		base := egress.SegmentBase(l.in.Info, d)
		if base == "" {
			report.Because += "; LiveKit did not say how the segments of " + d.Field + " are named"
			continue
		}
		err := l.leftovers(ctx, until, d, base, &report)
		if why, err := unseen(err); err != nil {
			return report, err
		} else if why != "" {
			report.Because += "; " + d.Field + " " + why
		}
	}
	return report, nil
}

// left looks for the files and images of a lost egress, which may have been finished and uploaded
// although LiveKit was never told. It plays files until the deadline.
func (l *looker) left(ctx context.Context, until time.Time, to []egress.Destination, report *egress.MediaReport) error {
	for _, w := range egress.Left(l.in.Info, to) {
		found, err := l.find(ctx, w)
		if err != nil {
			return err
		}
		l.play(ctx, until, w, &found)
		file, why := w.Judge(found)
		said := file.Kind + " found at " + file.Path
		if !found.There {
			said = "no " + said
		} else {
			report.Files = append(report.Files, file)
		}
		if !found.Written.IsZero() { // by which recording, only that can tell
			said += ", of " + found.Written.UTC().Format(time.RFC3339)
		}
		report.Because += "; " + cmp.Or(why, said)
	}
	return nil
}

// leftovers lists the segments of a base, and keeps those of this egress.
func (l *looker) leftovers(ctx context.Context, until time.Time, d egress.Destination, base string, report *egress.MediaReport) error {
	b, err := l.bucket(ctx, d)
	if err != nil {
		return err
	}
	listed, err := b.List(ctx, base+"_", mostListed)
	if err != nil {
		return err
	}
	var began time.Time
	if at := l.in.Info.Proto().GetStartedAt(); at > 0 {
		began = time.Unix(0, at)
	}
	if len(listed) == mostListed {
		report.Because += fmt.Sprintf("; more lies at %s than a look reads", base)
	}
	set := egress.Salvage(base, listed, began, l.in.HeardAt)
	if len(set.Segments) == 0 {
		report.Because += "; no segments of its time were left behind at " + base
		return nil
	}
	return l.keep(ctx, until, b, d, set, report)
}

// share returns until when media may be probed: for an nth of the time that is left, since finding
// it and reporting that matters more.
func share(ctx context.Context, n int) time.Time {
	now := time.Now()
	end, _ := ctx.Deadline() // every activity has one
	return now.Add(end.Sub(now) / time.Duration(n))
}

// keep lists a set and makes a playlist beside it. It probes segments until the deadline.
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
	case err == nil:
		report.Files = append(report.Files, egress.MediaFile{
			Kind: egress.OutputSalvage, Path: set.Playlist(), Size: int64(len(text)), Length: found.Length, Media: egress.MediaPresent,
		})
	case egress.ReasonOf(err) == egress.Conflict: // an earlier attempt's, or somebody else's
		there, size, err := readPlaylist(ctx, b, set.Playlist())
		if err != nil {
			return err
		}
		there = egress.Unescape(there)
		listed := set.Has(there)
		said += fmt.Sprintf(", which was there with %d of them", listed)
		if listed > 0 && listed == len(there) {
			report.Files = append(report.Files, egress.MediaFile{
				Kind: egress.OutputSalvage, Path: set.Playlist(), Size: size, Length: egress.FindSegments(there, set.Segments).Length, Media: egress.MediaPresent,
			})
		}
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

// known returns the lengths in the playlists that LiveKit wrote along the way, if any.
func (l *looker) known(ctx context.Context, b Bucket, d egress.Destination) map[string]egress.Duration {
	lengths := map[string]egress.Duration{}
	for _, w := range egress.Wants(l.in.Info, []egress.Destination{d}) {
		if w.File.Kind != egress.OutputPlaylist || w.To.Field != d.Field {
			continue
		}
		segments, _, err := readPlaylist(ctx, b, w.File.Path)
		if err != nil { // it helps but is not needed
			continue
		}
		for _, s := range segments {
			lengths[s.Path] = s.Length
		}
	}
	return lengths
}

// measure probes the segments of unknown length, until the deadline.
func (l *looker) measure(ctx context.Context, until time.Time, b Bucket, set egress.Leftover, known map[string]egress.Duration) map[string]egress.Duration {
	lengths := map[string]egress.Duration{}
	if l.cfg.Player == nil {
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
		if length, err := l.cfg.Player.Length(ctx, o.Size, reading(b, o.Path)); err == nil {
			lengths[o.Path] = length
		}
	}
	return lengths
}
