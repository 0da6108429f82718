package egress

// Asker is who asked for a recording, as far as our starter knows. It is only a name for reports
// and authorizes nothing.
type Asker struct {
	APIKey   string `json:"api_key,omitempty"`  // name of the API key that signed the caller's token
	Identity string `json:"identity,omitempty"` // identity in that token; at the command line, the machine's user
}

// MemoAskedBy is the memo in which a workflow keeps its Asker from its start on. It is not part of
// the input, which a worker reads strictly: an older worker would refuse it.
const MemoAskedBy = "asked_by"

// maxAsker bounds each name in bytes: the caller chooses a token's identity freely.
const maxAsker = 128

// String names the asker for use in a sentence. It is empty for nil.
func (a *Asker) String() string {
	switch {
	case a == nil:
		return ""
	case a.Identity == "":
		return "the key " + a.APIKey
	case a.APIKey == "":
		return a.Identity
	}
	return a.Identity + " with the key " + a.APIKey
}

// AskedBy returns an Asker with these names, cut to maxAsker, or nil if both are empty.
func AskedBy(apiKey, identity string) *Asker {
	if apiKey == "" && identity == "" {
		return nil
	}
	return &Asker{APIKey: Clip(apiKey, maxAsker), Identity: Clip(identity, maxAsker)}
}
