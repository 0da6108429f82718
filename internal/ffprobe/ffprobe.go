// Package ffprobe runs the program of that name to find how long media plays, and whether it is silent. The media
// may come from anybody: ffprobe must never be given a credential, nor a file or host to open, except the one
// that is served to it here.
package ffprobe

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Timeout bounds one probe, once it has a place. ffprobe reads a file's head and index, and a few
// seconds of its media.
const Timeout = 20 * time.Second

// places limits the ffprobes that a Prober runs at a time: three for files below large, or one. An
// ffprobe gets the memory of its places and no more (on Linux), so that all together stay within
// 384 MiB, whatever a file claims: deploy/kubernetes leaves 448 MiB of a worker's limit to them.
// ffprobe holds the whole index of an MP4, and a bound counts the private pages of its libraries as
// well. With 30 frames a second and AAC at 48 kHz, ffprobe 5.1 needs 39 MiB for a minute, 112 MiB
// for 4 h, 224 MiB for 12 h and 406 MiB for 24 h.
const (
	places = 3
	memory = 128 << 20 // bytes a place
	large  = 1 << 30   // bytes: 45 min at LiveKit's 3 Mbit/s of H264_720P_30
)

// share returns how many places the ffprobe of a file of this size takes.
func share(size int64) int64 {
	if size < large {
		return 1
	}
	return places
}

// formats are the ones that LiveKit writes, and WAV. Playlists are excluded: they would name files
// and hosts for ffprobe to open. Of any other format, ffprobe says only that it is another.
const (
	formats     = "mov,mp4,m4a,3gp,3g2,mj2,ogg,mp3,matroska,webm,mpegts,wav"
	otherFormat = "not on whitelist"
)

// noMemory is what ffprobe says that lacks memory, in the words of glibc or musl. It may also lack
// what it needs to say so.
var noMemory = regexp.MustCompile(`Cannot allocate memory|Out of memory|^$`)

// Prober runs ffprobe, a few at a time: further callers wait for a place until their context ends.
// It is safe for concurrent use.
type Prober struct {
	path   string
	places *semaphore.Weighted
}

func newProber(path string) *Prober { return &Prober{path, semaphore.NewWeighted(places)} }

// Find returns a Prober for ffprobe at a path or, if the path is empty, on the PATH. It returns
// nil, without an error, if there is none on the PATH.
func Find(path string) (*Prober, error) {
	if path == "" {
		found, err := exec.LookPath("ffprobe")
		if err != nil {
			return nil, nil //nolint:nilnil,nilerr // having none is allowed
		}
		return newProber(found), nil
	}
	found, err := exec.LookPath(path)
	if err != nil {
		return nil, &egress.Error{Reason: egress.Invalid, Field: "REELKEEPER_FFPROBE", Message: "is not a program that can be run", Err: err}
	}
	return newProber(found), nil
}

// Length returns how long media plays, or 0 if the media does not say. If a player cannot read the
// media, the error is an *egress.Error of reason Invalid; any other error says nothing about the
// media. Two of those say why it was not played: context.DeadlineExceeded that there was no time,
// and syscall.ENOMEM that it would take more memory than ffprobe may have.
func (p *Prober) Length(ctx context.Context, size int64, read Read) (egress.Duration, error) {
	told, err := p.ask(ctx, size, read, "-show_entries", "format=format_name,duration:stream=duration")
	if err != nil {
		return 0, err
	}
	length, format, err := parse(told)
	if err != nil || format != "mp3" {
		return length, err
	}
	if counts, err := countsFrames(ctx, read); err != nil || !counts { // then ffprobe has guessed by the bitrate of the first frames
		return 0, err
	}
	return length, nil
}

// ask makes ffprobe answer in JSON.
func (p *Prober) ask(ctx context.Context, size int64, read Read, what ...string) ([]byte, error) {
	if err := p.places.Acquire(ctx, share(size)); err != nil {
		return nil, fmt.Errorf("wait for a place to probe media: %w", err)
	}
	defer p.places.Release(share(size))
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	source, err := listen(ctx, size, read)
	if err != nil {
		return nil, err
	}
	defer source.close()
	args := append([]string{"-v", "error", "-protocol_whitelist", "http,tcp", "-format_whitelist", formats}, what...)
	cmd := exec.CommandContext(ctx, p.path, append(args, "-of", "json", source.url)...)
	cmd.Env = []string{} // it needs nothing of our environment
	cmd.WaitDelay = time.Second
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &limited{&out, 1 << 20}, &last{&said, 4 << 10}
	err = run(cmd, uint64(share(size))*memory, source.serve)
	switch {
	case source.failed() != nil:
		return nil, fmt.Errorf("probe media: %w", source.failed())
	case ctx.Err() != nil:
		return nil, fmt.Errorf("probe media: %w", ctx.Err())
	case err == nil:
		return out.Bytes(), nil
	}
	exit, ok := errors.AsType[*exec.ExitError](err)
	switch tried := ok && exit.Exited() && source.asked.Load(); { // otherwise ffprobe does not work
	case tried && noMemory.Match(said.Bytes()):
		return nil, fmt.Errorf("probe media: %w", syscall.ENOMEM)
	case tried && !strings.Contains(said.String(), otherFormat): // that one it is not allowed to read
		return nil, unplayable(lastWords(said.String()))
	}
	return nil, fmt.Errorf("probe media: %w: %s", err, lastWords(said.String()))
}

// run runs a program that may have so many bytes of memory, and calls begin once it is bound.
func run(cmd *exec.Cmd, bytes uint64, begin func()) error {
	if err := cmd.Start(); err != nil {
		return err
	}
	if err := boundMemory(cmd.Process.Pid, bytes); err != nil {
		return errors.Join(fmt.Errorf("bound its memory: %w", err), cmd.Process.Kill(), cmd.Wait())
	}
	begin()
	return cmd.Wait()
}

// parse reads ffprobe's JSON: the longest duration of the file and its streams, and the format.
func parse(b []byte) (length egress.Duration, format string, err error) {
	type part struct {
		Format   string `json:"format_name"`
		Duration string `json:"duration"`
	}
	var told struct {
		Format  part   `json:"format"`
		Streams []part `json:"streams"`
	}
	if err := json.Unmarshal(b, &told); err != nil {
		return 0, "", fmt.Errorf("ffprobe's answer: %w", err)
	}
	if len(told.Streams) == 0 {
		return 0, "", unplayable("it has no audio and no video")
	}
	longest := 0.0
	for _, p := range append(told.Streams, told.Format) {
		if seconds, err := strconv.ParseFloat(p.Duration, 64); err == nil && seconds < 1e8 { // "N/A" is not a duration
			longest = max(longest, seconds)
		}
	}
	return egress.Duration(longest * float64(time.Second)), told.Format.Format, nil
}

func unplayable(why string) error {
	return &egress.Error{Reason: egress.Invalid, Message: why}
}

// lastWords returns ffprobe's last line without the leading URL, which is ours.
func lastWords(said string) string {
	lines := strings.Split(strings.TrimSpace(said), "\n")
	last := lines[len(lines)-1]
	if i := strings.LastIndex(last, ": "); i >= 0 {
		last = last[i+2:]
	}
	if last == "" {
		return "ffprobe cannot read it"
	}
	return last
}

// limited keeps the beginning of what is written, and drops the rest.
type limited struct {
	to   *bytes.Buffer
	left int
}

// Write never fails: a program that writes too much must end by itself.
func (l *limited) Write(b []byte) (int, error) {
	keep := b[:min(len(b), l.left)]
	l.left -= len(keep)
	l.to.Write(keep)
	return len(b), nil
}

// last keeps at least so much of the end of what is written.
type last struct {
	to   *bytes.Buffer
	most int
}

// Write never fails.
func (l *last) Write(b []byte) (int, error) {
	l.to.Write(b)
	if n := l.to.Len(); n > 2*l.most {
		l.to.Next(n - l.most)
	}
	return len(b), nil
}
