//go:build unix

package devtemporal

import (
	"errors"
	"os"
	"syscall"
)

// terminate asks the process to end.
func terminate(process *os.Process) error {
	return process.Signal(syscall.SIGTERM)
}

// tryLock takes an exclusive lock on an open file. It returns false if another process has it. The
// kernel lifts the lock when the file is closed or the process dies.
func tryLock(file *os.File) (bool, error) {
	err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}
