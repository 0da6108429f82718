package egress

// Object is what a store has at a path.
type Object struct {
	Path string `json:"path"`
	Size int64  `json:"size"` // bytes
}
