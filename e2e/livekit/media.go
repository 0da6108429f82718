package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

const (
	frameLength = 20 * time.Millisecond
	clockRate   = 48000
	frameTicks  = clockRate / 50
)

// silentFrame is 20 ms of silence in Opus.
var silentFrame = []byte{0xf8, 0xff, 0xfe}

// writeMedia writes silence of the given length into a playable MP4, and returns its size in bytes.
func writeMedia(path string, length time.Duration) (int64, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return 0, fmt.Errorf("Local upload failed: %w", err)
	}
	content := movie(max(int(length/frameLength), 1))
	if err := os.WriteFile(path, content, 0o644); err != nil {
		return 0, fmt.Errorf("Local upload failed: %w", err)
	}
	return int64(len(content)), nil
}

// movie returns an MP4 with one track of n frames, all of them in one chunk: ISO/IEC 14496-12 and "Encapsulation of Opus
// in ISO Base Media File Format".
func movie(n int) []byte {
	data := bytes.Repeat(silentFrame, n)
	ticks := uint32(n * frameTicks)
	head := box("ftyp", []byte("isom"), u32(0x200), []byte("isomiso2mp41"))
	entry := box("Opus", make([]byte, 6), u16(1), make([]byte, 8), u16(2, 16, 0, 0), u32(clockRate<<16),
		box("dOps", []byte{0, 2}, u16(0), u32(clockRate), u16(0), []byte{0}))
	table := box("stbl",
		full("stsd", u32(1), entry),
		full("stts", u32(1, uint32(n), frameTicks)),
		full("stsc", u32(1, 1, uint32(n), 1)),
		full("stsz", u32(uint32(len(silentFrame)), uint32(n))),
		full("stco", u32(1, uint32(len(head)+8))))
	track := box("trak",
		box("tkhd", u32(3, 0, 0, 1, 0, ticks, 0, 0), u16(0, 0, 0x100, 0), matrix(), u32(0, 0)),
		box("mdia",
			full("mdhd", u32(0, 0, clockRate, ticks), u16(0x55c4, 0)),
			full("hdlr", u32(0), []byte("soun"), make([]byte, 12), []byte("silence\x00")),
			box("minf", full("smhd", u32(0)), box("dinf", full("dref", u32(1), box("url ", u32(1)))), table)))
	movieHead := full("mvhd", u32(0, 0, clockRate, ticks, 0x10000), u16(0x100, 0), u32(0, 0), matrix(), make([]byte, 24), u32(2))
	return bytes.Join([][]byte{head, box("mdat", data), box("moov", movieHead, track)}, nil)
}

func box(kind string, parts ...[]byte) []byte {
	body := bytes.Join(parts, nil)
	return append(append(u32(uint32(len(body)+8)), kind...), body...)
}

// full returns a box with a version and flags, both zero.
func full(kind string, parts ...[]byte) []byte {
	return box(kind, append([][]byte{u32(0)}, parts...)...)
}

// matrix is the identity transformation of a picture.
func matrix() []byte { return u32(0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000) }

func u32(values ...uint32) []byte {
	var b []byte
	for _, v := range values {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b
}

func u16(values ...uint16) []byte {
	var b []byte
	for _, v := range values {
		b = binary.BigEndian.AppendUint16(b, v)
	}
	return b
}
