package ffprobe

import "golang.org/x/sys/unix"

// boundMemory lets a process have so many bytes of private memory, to which those of its libraries
// that it writes count. What it asks for beyond them it does not get.
func boundMemory(pid int, bytes uint64) error {
	return unix.Prlimit(pid, unix.RLIMIT_DATA, &unix.Rlimit{Cur: bytes, Max: bytes}, nil)
}
