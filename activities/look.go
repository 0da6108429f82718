package activities

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Limits of one look.
const (
	mostListed = 50_000  // objects: segments of 2 s over 24 h
	mostRead   = 8 << 20 // bytes of a playlist; that of such a recording stays below
	mostPlayed = 10      // files of one result
	lastRead   = 1 << 10 // bytes at a playlist's end, where LiveKit writes that it is finished
)

// see looks for the nth thing that is wanted. A playlist is as old as its segments, and has no size
// by which to know it.
func (l *looker) see(ctx context.Context, wanted []egress.Wanted, n int) (egress.Found, error) {
	w := wanted[n]
	found, err := l.find(ctx, w)
	if w.File.Kind != egress.OutputPlaylist || found.Older.IsZero() {
		return found, err
	}
	for _, set := range wanted[n:] { // they follow
		if set.File.Kind != egress.OutputSegments {
			continue
		}
		if segments, err := l.find(ctx, set); err != nil || !segments.Early {
			return found, err
		}
		w.Since = time.Time{}
		return l.find(ctx, w)
	}
	return found, nil
}

// find looks for one thing. It fails if the store cannot be reached.
func (l *looker) find(ctx context.Context, w egress.Wanted) (egress.Found, error) {
	if w.File.Path == "" {
		return egress.Found{Unseen: "has no path in LiveKit's result"}, nil
	}
	b, err := l.bucket(ctx, w.To)
	if err != nil {
		why, err := unseen(err)
		return egress.Found{Unseen: why}, err
	}
	var found egress.Found
	switch w.File.Kind {
	case egress.OutputSegments:
		found, err = findSegments(ctx, b, w)
	case egress.OutputImages:
		found, err = findImages(ctx, b, w)
	case egress.OutputPlaylist:
		found, err = findPlaylist(ctx, b, w)
	default:
		found, err = findObject(ctx, b, w)
	}
	if err != nil && egress.ReasonOf(err) != egress.NotFound {
		why, err := unseen(err)
		return egress.Found{Unseen: why}, err
	}
	return found, nil
}

// findImages finds images under a prefix, or in the other places where they may be.
func findImages(ctx context.Context, b Bucket, w egress.Wanted) (egress.Found, error) {
	whole := true
	for _, prefix := range append([]string{w.File.Path}, others(w, w.File.Path)...) {
		listed, err := b.List(ctx, prefix, mostListed)
		whole = whole && len(listed) < mostListed
		images := w.Fresh(egress.Images(prefix, w.To.Overwritten, listed))
		if err != nil || len(images) > 0 {
			return counted(w, egress.FindSet(images), whole), err
		}
	}
	return counted(w, egress.Found{}, whole), nil
}

// counted returns what was found of a set, or that the number is unknown if there are more objects
// than one look reads.
func counted(w egress.Wanted, f egress.Found, whole bool) egress.Found {
	if !whole && f.Count < w.File.Count {
		return egress.Found{Unseen: "are more than a look counts"}
	}
	return f
}

// findObject looks for one object. Some stores treat a leading slash as part of the name, and for
// others LiveKit leaves it out. An object written before the recording began belongs to another
// recording.
func findObject(ctx context.Context, b Bucket, w egress.Wanted) (egress.Found, error) {
	var missing egress.Found
	for _, name := range append([]string{w.File.Path}, others(w, w.File.Path)...) {
		o, err := b.Stat(ctx, name)
		switch {
		case egress.ReasonOf(err) == egress.NotFound:
		case err != nil:
			return egress.Found{}, err
		case len(w.Fresh([]egress.Object{o})) == 0 && (w.File.Want == 0 || o.Size != w.File.Want): // otherwise the store's clock is off
			missing.Older = o.Modified
		default:
			return egress.Found{There: true, Size: o.Size, At: name, Written: o.Modified}, nil
		}
	}
	return missing, nil
}

// findPlaylist finds a playlist, and looks whether it is finished. As an egress ends, LiveKit
// finishes a live one, too.
func findPlaylist(ctx context.Context, b Bucket, w egress.Wanted) (egress.Found, error) {
	found, err := findObject(ctx, b, w)
	if err != nil || found.Size == 0 {
		return found, err
	}
	end, err := readText(ctx, b, found.At, max(0, found.Size-lastRead), lastRead)
	found.Unfinished = err == nil && !egress.Finished(end)
	return found, err
}

// others returns other names that an object may have: LiveKit's uploader cleans the name that it
// reports, and below a prefix the slash before it goes.
func others(w egress.Wanted, name string) []string {
	clean := path.Join(name)
	trimmed := strings.TrimPrefix(clean, "/")
	names := slices.Compact([]string{name, clean, trimmed})[1:]
	for _, under := range w.Under {
		names = append(names, under+trimmed)
	}
	return names
}

// findSegments finds the segments that the playlist names or, if it is missing or empty, those
// named as it would name them.
func findSegments(ctx context.Context, b Bucket, w egress.Wanted) (egress.Found, error) {
	segments, size, err := readPlaylist(ctx, b, w.Playlist)
	prefix := w.File.Path
	for _, other := range others(w, w.Playlist) {
		if egress.ReasonOf(err) != egress.NotFound {
			break
		}
		if segments, size, err = readPlaylist(ctx, b, other); err == nil {
			prefix = strings.TrimSuffix(other, strings.TrimPrefix(path.Join(w.Playlist), "/")) + strings.TrimPrefix(prefix, "/")
		}
	}
	switch {
	case egress.ReasonOf(err) == egress.NotFound, err == nil && len(segments) == 0:
		listed, err := b.List(ctx, prefix, mostListed)
		return counted(w, egress.FindSet(w.Fresh(egress.Numbered(listed))), len(listed) < mostListed), err
	case err != nil:
		return egress.Found{}, err
	}
	listed, err := b.List(ctx, egress.CommonPrefix(segments), mostListed)
	found := egress.FindSegments(segments, w.Fresh(listed))
	if all := egress.FindSegments(segments, listed); all.Count > found.Count && len(segments) == w.File.Count && isExactly(w, all, size) {
		found, found.Early = all, true
	}
	found.Size += size // LiveKit may include it
	return counted(w, found, len(listed) < mostListed && len(segments) < mostListed && size < mostRead), err
}

// isExactly reports whether segments are as many and as large as LiveKit reports, with or without
// their playlist.
func isExactly(w egress.Wanted, f egress.Found, playlist int64) bool {
	return w.File.Want > 0 && f.Count == w.File.Count && (f.Size == w.File.Want || f.Size+playlist == w.File.Want)
}

func readPlaylist(ctx context.Context, b Bucket, name string) (segments []egress.Segment, size int64, err error) {
	text, err := readText(ctx, b, name, 0, mostRead)
	if err != nil {
		return nil, 0, err
	}
	most := min(mostListed, mostRead/len(path.Dir(name))) // each segment's path begins with it
	segments = egress.ParsePlaylist(name, text, most)
	if most < mostListed && len(segments) == most {
		return nil, 0, &egress.Error{Reason: egress.Invalid, Message: "the names in the playlist are longer than a look reads"}
	}
	return segments, int64(len(text)), nil
}

// readText reads a playlist from an offset on, up to a limit.
func readText(ctx context.Context, b Bucket, name string, offset, most int64) ([]byte, error) {
	r, err := b.Read(ctx, name, offset)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, most))
	if err != nil {
		return nil, &egress.Error{Reason: egress.Unreachable, Message: "the playlist could not be read to its end", Err: err}
	}
	return text, nil
}

// play probes a file that is there, until a deadline. What ffprobe cannot tell is left open, and
// what there was no time or no memory for is noted.
func (l *looker) play(ctx context.Context, until time.Time, w egress.Wanted, f *egress.Found) {
	played := w.File.Kind == egress.OutputFile && path.Ext(w.File.Path) != ".mcap" // ffprobe does not know MCAP, LiveKit's format for data
	if l.cfg.Player == nil || !played || !f.There || f.Size == 0 || f.Size < w.File.Want {
		return
	}
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	b, err := l.bucket(ctx, w.To)
	if err != nil {
		return
	}
	read := reading(b, f.At)
	length, err := l.cfg.Player.Length(ctx, f.Size, read)
	if egress.ReasonOf(err) == egress.Invalid {
		f.Unplayable = err.Error()
	}
	f.Unplayed, f.Heavy = errors.Is(err, context.DeadlineExceeded), errors.Is(err, syscall.ENOMEM)
	f.Length = length
	if length > 0 && len(w.Silence) > 0 {
		f.Sound, err = l.cfg.Player.Sound(ctx, f.Size, length, read) // if it cannot tell, the sound stays unknown
		f.Unheard = errors.Is(err, context.DeadlineExceeded)
	}
	l.hurried = l.hurried || f.Unplayed || f.Unheard
}

// reading returns a function that reads an object from an offset on.
func reading(b Bucket, name string) Reading {
	return func(ctx context.Context, offset int64) (io.ReadCloser, error) {
		r, err := b.Read(ctx, name, offset)
		if err != nil { // a refusal by the store says nothing about the media
			return nil, fmt.Errorf("read media: %s", err.Error())
		}
		return r, nil
	}
}
