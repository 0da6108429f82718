//go:build !linux

package ffprobe

// boundMemory does nothing: only Linux can bound the memory of another process.
func boundMemory(int, uint64) error { return nil }
