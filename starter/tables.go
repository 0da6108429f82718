package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/recordings"
)

// printStarted prints the IDs that later commands take.
func printStarted(w io.Writer, s recordings.Started) error {
	i := s.Info.Proto()
	return facts(w,
		[2]string{"egress", i.GetEgressId()},
		[2]string{"status", string(s.Info.StatusName())},
		[2]string{"room", i.GetRoomName()},
		[2]string{"request", s.RequestID},
		[2]string{"workflow", s.WorkflowID},
	)
}

// printInfo prints LiveKit's answer, for people.
func printInfo(w io.Writer, info egress.Info) error {
	i := info.Proto()
	return facts(w,
		[2]string{"egress", i.GetEgressId()},
		[2]string{"status", string(info.StatusName())},
		[2]string{"room", i.GetRoomName()},
		[2]string{"error", i.GetError()},
	)
}

// printVerdict prints how a recording ended.
func printVerdict(w io.Writer, v egress.Verdict) error {
	return facts(w, verdictFacts(v)...)
}

// verdictFacts returns a verdict's names and values, the most important first.
func verdictFacts(v egress.Verdict) [][2]string {
	late := ""
	if v.Late > 0 {
		late = v.Late.D().Round(time.Millisecond).String()
	}
	pairs := [][2]string{
		{"egress", v.EgressID},
		{"status", string(v.Status)},
		{"room", v.Room},
		{"request", v.RequestID},
		{"ended", at(v.EndedAt)},
		{"ended by", string(v.EndedBy)},
		{"heard after", late},
		{"missed webhook", evident(string(v.Missed), v.MissedBecause)},
		{"media", evident(string(v.Media), v.MediaBecause)},
		{"stopped", stopped(v)},
		{"because", v.Because},
		{"delivered", strings.Join(v.Delivered, ", ")},
		{"left out", strings.Join(v.Skipped, ", ")},
		{"twins", strings.Join(v.Twins, ", ")},
	}
	for _, step := range slices.Sorted(maps.Keys(v.Results)) {
		pairs = append(pairs, [2]string{"result", step + ": " + egress.Clip(string(v.Results[step]), longestResult)})
	}
	return pairs
}

// longestResult is how much of a step's result is shown to people, in bytes. --json shows all of
// it.
const longestResult = 200

// stopped says why a recording was stopped, and who asked for that.
func stopped(v egress.Verdict) string {
	if v.StoppedBy == nil {
		return string(v.Stopped)
	}
	return string(v.Stopped) + " by " + v.StoppedBy.String()
}

// evident returns a finding with its evidence, if there is any.
func evident(found, because string) string {
	if because == "" {
		return found
	}
	return found + ": " + because
}

// mediaFile describes one file, or set of files, found in the store.
func mediaFile(f egress.MediaFile) string {
	s := fmt.Sprintf("%s %s, %s, %d bytes", f.Kind, f.Path, f.Media, f.Size)
	if f.Count > 0 {
		s += fmt.Sprintf(" in %d", f.Count)
	}
	if f.Length > 0 {
		s += ", plays for " + f.Length.D().Round(100*time.Millisecond).String()
	}
	if f.Silent {
		s += ", silent"
	}
	if f.Unfinished {
		s += ", unfinished"
	}
	return s
}

// printView prints the verdict if there is one: earlier expectations no longer matter.
func printView(w io.Writer, v recordings.View) error {
	if v.Verdict != nil {
		pairs := append(verdictFacts(*v.Verdict), [2]string{"workflow", v.WorkflowID + " " + v.Workflow})
		for _, f := range v.Verdict.Files {
			pairs = append(pairs, [2]string{"file", mediaFile(f)})
		}
		for _, p := range v.Verdict.Parts {
			pairs = append(pairs, [2]string{"part", part(p)})
		}
		pairs = append(pairs, redeliveries(v.Redeliveries)...)
		pairs = append(pairs, story(v.Story)...)
		return facts(w, pairs...)
	}
	pairs := [][2]string{
		{"egress", v.EgressID},
		{"status", string(v.Status)},
		{"phase", string(v.Phase)},
		{"room", v.Room},
		{"kind", commandOf(v.Kind)},
		{"request", v.RequestID},
		{"workflow", v.WorkflowID + " " + v.Workflow},
		{"started", at(v.StartedAt)},
		{"last news", news(v)},
		{"next look", when(v.NextLook)},
		{"stuck", v.Because},
		{"media", found(v)},
		{"done", strings.Join(v.Done, ", ")},
		{"skipped", strings.Join(v.Skipped, ", ")},
		{"storage", v.Storage},
		{"twins", strings.Join(v.Twins, ", ")},
		{"problem", v.Problem},
	}
	for _, a := range v.Pending {
		pairs = append(pairs, [2]string{"doing", activity(a)})
	}
	pairs = append(pairs, redeliveries(v.Redeliveries)...)
	pairs = append(pairs, story(v.Story)...)
	for _, way := range v.Ways {
		pairs = append(pairs, [2]string{"you can", way.Command + ": " + way.For})
	}
	return facts(w, pairs...)
}

// redeliveries lists the redeliveries of a verdict, one per line.
func redeliveries(rows []recordings.Row) [][2]string {
	var lines [][2]string
	for _, r := range rows {
		how := r.Workflow
		if r.Stuck {
			how += ", stuck"
		}
		lines = append(lines, [2]string{"told again", fmt.Sprintf("%s, by %s %s", at(r.StartedAt), r.WorkflowID, how)})
	}
	return lines
}

// found returns what has been found of the media so far.
func found(v recordings.View) string {
	if v.Media == nil {
		return ""
	}
	return v.Media.String()
}

// part describes one part of a recording that was restarted.
func part(p egress.Part) string {
	s := fmt.Sprintf("%d: %s, %s, %s to %s", p.Number, p.EgressID, p.Status, at(p.StartedAt), at(p.EndedAt))
	if p.Gap > 0 {
		s += fmt.Sprintf(", after a gap of %s", p.Gap.D().Round(100*time.Millisecond))
	}
	if p.Media != nil {
		s += ", " + p.Media.String()
	}
	return s
}

// story lists what happened, one line per beat.
func story(beats []egress.Beat) [][2]string {
	var lines [][2]string
	for _, b := range beats {
		if b.LeftOut > 0 {
			lines = append(lines, [2]string{"story", fmt.Sprintf("… %d more", b.LeftOut)})
		}
		lines = append(lines, [2]string{"story", at(b.At) + ", " + b.String()})
	}
	return lines
}

// news says when we last heard of the egress, and from whom.
func news(v recordings.View) string {
	if v.NewsAt == nil {
		return ""
	}
	return fmt.Sprintf("%s, by %s", at(*v.NewsAt), v.NewsBy)
}

// activity describes an activity in progress, and its last failure.
func activity(a recordings.Activity) string {
	s := fmt.Sprintf("%s, attempt %d", a.Type, a.Attempt)
	if since := when(a.StartedAt); since != "" {
		s += ", since " + since + starting(a)
	}
	if next := when(a.NextAttempt); next != "" {
		s += ", again at " + next
	}
	if a.AwaitsWorker != "" {
		s += ", waits for a worker of task queue " + a.AwaitsWorker
	}
	if a.LastFailure != "" {
		s += ": " + a.LastFailure
	}
	return s
}

// starting says what a start in a worker's hands is doing: it may take minutes to learn the result
// of a call that got no answer.
func starting(a recordings.Activity) string {
	switch {
	case a.Type != egress.ActivityStart:
		return ""
	case a.Attempt > 1:
		return ", looks for it at LiveKit before it asks again"
	default:
		return ", asks LiveKit for it, or looks there for what it asked for before"
	}
}

// when is at for an optional time.
func when(t *time.Time) string {
	if t == nil {
		return ""
	}
	return at(*t)
}

// printRows prints a table, or only the given words if there are no rows.
func printRows(w io.Writer, rows []recordings.Row, none string) error {
	if len(rows) == 0 {
		_, err := fmt.Fprintln(w, none)
		return err
	}
	t := plainTable()
	t.AppendHeader(table.Row{"egress", "status", "kind", "room", "started", "ended by", "missed", "request"})
	for _, r := range rows {
		status := string(r.Status)
		if r.Workflow != "" && (status == "" || r.ClosedAt != nil && r.Workflow != "completed") { // its start was refused, say
			status = strings.TrimLeft(status+" ("+r.Workflow+")", " ")
		}
		if r.Stuck {
			status += " (stuck)"
		}
		if r.Memo != nil && r.Memo.Media.Alarming() {
			status += " (media " + string(r.Memo.Media) + ")"
		}
		t.AppendRow(cells(r.EgressID, status, commandOf(r.Kind), r.Room, at(r.StartedAt), r.EndedBy, r.Missed, r.RequestID))
	}
	return render(w, t)
}

// commandOf returns a kind as commands spell it.
func commandOf(k egress.Kind) string { return strings.ReplaceAll(string(k), "_", "-") }

// kindOf reads a kind as commands spell it.
func kindOf(s string) egress.Kind { return egress.Kind(strings.ReplaceAll(s, "-", "_")) }

// kindList names all kinds, as commands spell them.
func kindList() string {
	var names []string
	for _, k := range egress.Kinds() {
		names = append(names, commandOf(k))
	}
	return strings.Join(names, ", ")
}
