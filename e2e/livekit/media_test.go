package main

import (
	"encoding/binary"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// boxes returns the boxes of one level by kind. They must fill the level to its end.
func boxes(t *testing.T, level []byte) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	for len(level) > 0 {
		size := binary.BigEndian.Uint32(level)
		if size < 8 || int(size) > len(level) {
			t.Fatalf("a box of %d bytes in %d", size, len(level))
		}
		found[string(level[4:8])] = level[8:size]
		level = level[size:]
	}
	return found
}

func TestAFileIsAsLongAsItsRecording(t *testing.T) {
	t.Parallel()
	for _, frames := range []int{1, 50, 5000} {
		file := movie(frames)
		top := boxes(t, file)
		if got := len(top["mdat"]); got != frames*len(silentFrame) {
			t.Errorf("%d frames are %d bytes of media", frames, got)
		}
		head := boxes(t, top["moov"])["mvhd"]
		if scale, length := binary.BigEndian.Uint32(head[12:]), binary.BigEndian.Uint32(head[16:]); length != scale/50*uint32(frames) {
			t.Errorf("%d frames take %d/%d s", frames, length, scale)
		}
		offset := binary.BigEndian.Uint32(boxes(t, boxes(t, boxes(t, boxes(t, boxes(t, top["moov"])["trak"])["mdia"])["minf"])["stbl"])["stco"][8:])
		if string(file[offset:offset+3]) != string(silentFrame) {
			t.Errorf("there is no frame at %d", offset)
		}
	}
}

func TestAPlayerPlaysAFile(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("ffprobe"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("ffprobe must be there: in CI nothing is skipped for want of a tool")
		}
		t.Skip("there is no ffprobe, which reads the file as a player does")
	}
	file := filepath.Join(t.TempDir(), "folder", "a.mp4")
	size, err := writeMedia(file, 3*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "ffprobe", "-v", "error", "-show_format", "-show_streams", "-of", "json", file).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var probed struct {
		Format  struct{ Duration, Size string }
		Streams []struct {
			Codec string `json:"codec_name"`
		}
	}
	if err := json.Unmarshal(out, &probed); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if probed.Format.Size != strconv.FormatInt(size, 10) || probed.Format.Duration != "3.000000" || len(probed.Streams) != 1 || probed.Streams[0].Codec != "opus" {
		t.Errorf("it is %s", out)
	}
}

func TestWhatCanNotBeWrittenIsSaidInTheWordsOfTheRealWorker(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := writeMedia(filepath.Join(file, "a.mp4"), time.Second)
	if err == nil || err.Error() != "Local upload failed: mkdir "+file+": not a directory" {
		t.Errorf("the error is %v", err)
	}
}
