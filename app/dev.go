package app

const (
	// DevState is the folder in which a development instance keeps its state by default, below the
	// one it was started in.
	DevState = ".reelkeeper"
	// DevFile is the file in that folder with the settings by which to reach the instance. dev writes
	// it, and the starter's commands read it.
	DevFile = "dev.json"
)
