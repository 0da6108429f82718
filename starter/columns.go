package main

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/reelkeeper/reelkeeper/egress"
)

// column is a CSV column of the verdicts. The table in docs/operations.md says what each holds.
type column struct {
	name string
	of   func(egress.Verdict) string
}

// verdictColumns may only grow at the end: scripts rely on positions.
func verdictColumns() []column {
	return []column{
		{"request_id", func(v egress.Verdict) string { return v.RequestID }},
		{"egress_id", func(v egress.Verdict) string { return v.EgressID }},
		{"kind", func(v egress.Verdict) string { return string(v.Kind) }},
		{"room_id", func(v egress.Verdict) string { return v.RoomID }},
		{"room", func(v egress.Verdict) string { return v.Room }},
		{"status", func(v egress.Verdict) string { return string(v.Status) }},
		{"ended_by", func(v egress.Verdict) string { return string(v.EndedBy) }},
		{"started_at", func(v egress.Verdict) string { return nanos(v.Info.Proto().GetStartedAt()) }},
		{"ended_at", func(v egress.Verdict) string { return stamp(v.EndedAt) }},
		{"heard_at", func(v egress.Verdict) string { return stamp(v.HeardAt) }},
		{"late_seconds", func(v egress.Verdict) string { return seconds(v.Late.D()) }},
		{"missed", func(v egress.Verdict) string { return string(v.Missed) }},
		{"missed_because", func(v egress.Verdict) string { return v.MissedBecause }},
		{"media", func(v egress.Verdict) string { m, _, _ := v.Alarming(); return string(m) }},
		{"stopped", func(v egress.Verdict) string { return string(v.Stopped) }},
		{"because", func(v egress.Verdict) string { return v.Because }},
		{"corrects", func(v egress.Verdict) string { return string(v.Corrects) }},
		{"delivered", func(v egress.Verdict) string { return strings.Join(v.Delivered, " ") }},
		{"parts", parts},
		{"locations", locations},
		{"media_because", func(v egress.Verdict) string { _, because, _ := v.Alarming(); return because }},
		{"files", files},
		{"results", results},
		{"part_statuses", partStatuses},
		{"skipped", func(v egress.Verdict) string { return strings.Join(v.Skipped, " ") }},
		{"stopped_by", func(v egress.Verdict) string { return v.StoppedBy.String() }},
	}
}

// parts lists the egress IDs of a recording's parts, if it has more than one.
func parts(v egress.Verdict) string {
	var ids []string
	for _, p := range v.Parts {
		ids = append(ids, p.EgressID)
	}
	return strings.Join(ids, " ")
}

// partStatuses lists how those parts ended.
func partStatuses(v egress.Verdict) string {
	var ended []string
	for _, p := range v.Parts {
		ended = append(ended, string(p.Status))
	}
	return strings.Join(ended, " ")
}

// each returns the parts of a recording, even if there is only one.
func each(v egress.Verdict) []egress.Part {
	if len(v.Parts) > 0 {
		return v.Parts
	}
	return []egress.Part{{Info: v.Info, Media: &egress.MediaReport{Files: v.Files}}}
}

// locations lists where LiveKit says the media is, by part.
func locations(v egress.Verdict) string {
	var list []string
	add := func(location string) {
		if location != "" {
			list = append(list, location)
		}
	}
	for _, p := range each(v) {
		for _, f := range p.Info.Proto().GetFileResults() {
			add(f.GetLocation())
		}
		for _, s := range p.Info.Proto().GetSegmentResults() {
			add(s.GetPlaylistLocation())
			add(s.GetLivePlaylistLocation())
		}
		for _, i := range p.Info.Proto().GetImageResults() {
			add(i.GetFilenamePrefix())
		}
	}
	return strings.Join(list, " ")
}

// files lists what was found in the store, by part.
func files(v egress.Verdict) string {
	var paths []string
	for _, p := range each(v) {
		if p.Media == nil {
			continue
		}
		for _, f := range p.Media.Files {
			paths = append(paths, f.Path)
		}
	}
	return strings.Join(paths, " ")
}

// results returns what the steps of the pipeline returned, as JSON.
func results(v egress.Verdict) string {
	if len(v.Results) == 0 {
		return ""
	}
	b, err := json.Marshal(v.Results)
	if err != nil {
		return "" // cannot fail: the results were JSON
	}
	return strings.ReplaceAll(string(b), ";", `\u003b`) // the same JSON, which cell leaves alone
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func nanos(n int64) string {
	if n == 0 {
		return ""
	}
	return stamp(time.Unix(0, n))
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) }

// laterFormula matches the beginning of a formula inside a text. Where numbers have decimal commas,
// spreadsheets separate cells by semicolons, whatever stands in quotes.
var laterFormula = regexp.MustCompile(`([;\t\r\n]"*)([=+@-])`)

// cell keeps a spreadsheet from reading a text as a formula: other people choose room names and
// errors. The apostrophe is how spreadsheets themselves mark a text.
func cell(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r\n", rune(text[0])) {
		text = "'" + text
	}
	return laterFormula.ReplaceAllString(text, "$1'$2")
}
