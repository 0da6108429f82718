package recordings

import "testing"

func TestARoomThatAnybodyMayHaveNamedCostsOnePage(t *testing.T) {
	t.Parallel()
	read := 0
	endless := func(yield func(Row, error) bool) {
		for yield(Row{}, nil) {
			read++
		}
	}
	given := 0
	for _, err := range firstPage(endless) {
		must(t, err)
		given++
	}
	if given != pageSize || read != pageSize-1 { // nothing is asked for after the last
		t.Errorf("got %d of %d read", given, read)
	}
	for _, err := range firstPage(endless) {
		must(t, err)
		break // as a reader that has enough does
	}
}
