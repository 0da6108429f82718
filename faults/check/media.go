package check

import "slices"

// limited is the status of an egress that reached LiveKit's limit: its media is good.
const limited = "EGRESS_LIMIT_REACHED"

// Words on the media of an egress, as the consumer is told them.
const (
	present   = "present"
	missing   = "missing"
	empty     = "empty"
	unchecked = "unchecked"
)

// stored returns what the store has of an egress that ended well.
func (r *recorded) stored() string {
	switch {
	case slices.Contains(r.Faults, "media-missing"):
		return missing
	case slices.Contains(r.Faults, "media-empty"):
		return empty
	default:
		return present
	}
}

// media judges the last word on the media of an egress that has ended.
func (j *judge) media(e *recorded, last announcement) {
	if !j.rules.Media || len(e.ends) == 0 || last.status != complete && last.status != limited {
		return
	}
	j.figures.Media[last.media]++
	switch {
	case last.media == e.stored():
	case last.media == unchecked && (e.past(j.rules) || j.hindered(e, last)):
	default:
		j.found(KindMismatched, e.life.n, e.ID, "announced with its media %s, but in the store it is %s", last.media, e.stored())
	}
}

// hindered reports whether the store could not be asked at all times between the end and its
// announcement: it was away, or a worker that asked, or Temporal, which has that repeated.
func (j *judge) hindered(e *recorded, last announcement) bool {
	return slices.ContainsFunc(j.kills, func(k Kill) bool {
		part := k.Part == "store" || k.Part == "worker" || k.Part == "temporal"
		return part && k.At.Before(last.at) && k.At.Add(k.Down).After(e.ends[len(e.ends)-1].at)
	})
}
