package devtemporal

import "runtime"

// spawn starts the child and watches it. The goroutine keeps its OS thread for the child's whole
// life, because Linux sends the parent-death signal when the *thread* that forked ends, and Go ends
// threads as it likes.
func (s *Server) spawn() error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := s.command.Start()
		started <- err
		if err != nil {
			return
		}
		s.exit = s.command.Wait()
		close(s.done)
	}()
	return <-started
}
