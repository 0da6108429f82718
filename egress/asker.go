package egress

// Asker is who asked for a recording, as far as our starter knows. It is a name for
// reports and authorizes nothing.
type Asker struct {
	APIKey   string `json:"api_key,omitempty"`  // name of the API key that signed the caller's token
	Identity string `json:"identity,omitempty"` // of that token; at the command line, the user of the machine
}

// MemoAskedBy is the memo under which a workflow keeps its Asker, from its start on. It
// is no part of the input, which a worker reads strictly: an older one would refuse it.
const MemoAskedBy = "asked_by"

// maxAsker bounds each name in bytes: a token's identity is the caller's own words.
const maxAsker = 128

// String is how an asker is named in a sentence, empty where nobody is known.
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

// AskedBy names an asker, nil where both names are empty. Long names are cut.
func AskedBy(apiKey, identity string) *Asker {
	if apiKey == "" && identity == "" {
		return nil
	}
	return &Asker{APIKey: Clip(apiKey, maxAsker), Identity: Clip(identity, maxAsker)}
}
