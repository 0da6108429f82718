package egress

import "time"

// Object is what a store has at a path.
type Object struct {
	Path     string
	Size     int64 // bytes
	Modified time.Time
}
