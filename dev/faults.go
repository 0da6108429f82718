package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/config"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// demoLoss is the rate of lost webhooks in a demo for which no fault is requested.
const demoLoss = 0.3

// rates say how often each fault of the fake LiveKit is injected, from 0 (never) to 1 (always).
type rates map[fakelivekit.Fault]float64

// losing returns the rates for --webhook-loss, which covers LiveKit's webhooks of every kind.
func losing(rate float64) (rates, error) {
	if !isRate(rate) {
		return nil, egress.Invalidf("--webhook-loss", "want a rate from 0 to 1, got %v", rate)
	}
	return rates{fakelivekit.WebhookLost: rate, fakelivekit.RoomWebhookLost: rate}, nil
}

// with adds the values of --fault, each NAME=RATE. A named fault keeps its own rate, whatever
// --webhook-loss says.
func (r rates) with(given []string) (rates, error) {
	all, named := maps.Clone(r), rates{}
	for _, g := range given {
		name, value, ok := strings.Cut(g, "=")
		if !ok {
			return nil, egress.Invalidf("--fault", "want NAME=RATE, got %q", g)
		}
		fault := fakelivekit.Fault(name)
		if err := known(fault); err != nil {
			return nil, err
		}
		if _, twice := named[fault]; twice {
			return nil, egress.Invalidf("--fault", "%s is given twice", fault)
		}
		rate, err := strconv.ParseFloat(value, 64)
		if err != nil || !isRate(rate) {
			return nil, egress.Invalidf("--fault", "%s: want a rate from 0 to 1, got %q", fault, value)
		}
		named[fault], all[fault] = rate, rate
	}
	return all, nil
}

// isRate also returns false for NaN.
func isRate(rate float64) bool { return rate >= 0 && rate <= 1 }

// known rejects the name of a fault that the fake does not have, and suggests the one that may have
// been meant.
func known(f fakelivekit.Fault) error {
	var names []string
	for _, doc := range fakelivekit.Faults() {
		names = append(names, string(doc.Name))
	}
	if slices.Contains(names, string(f)) {
		return nil
	}
	if near := config.Nearest(string(f), names); near != "" {
		return egress.Invalidf("--fault", "%q is not a fault; did you mean %s?", f, near)
	}
	return egress.Invalidf("--fault", "%q is not a fault; --faults lists them", f)
}

// listFaults prints every fault and what it teaches, one per line.
func listFaults(w io.Writer) error {
	for _, doc := range fakelivekit.Faults() {
		if _, err := fmt.Fprintf(w, "%-21s %s\n", doc.Name, doc.Teaches); err != nil {
			return err
		}
	}
	return nil
}
