package egress

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
)

var noticeSummary = Summary{Kind: KindRoomComposite, Room: "standup"}

func noticed(t *testing.T, change func(*State)) *State {
	t.Helper()
	info, err := NewInfo(&livekit.EgressInfo{EgressId: "EG_1", Status: livekit.EgressStatus_EGRESS_COMPLETE, EndedAt: time.Unix(1000, 0).UnixNano()})
	if err != nil {
		t.Fatal(err)
	}
	s := &State{
		Terms: Terms{Notify: true, AnnounceFor: Duration(time.Hour)}, Phase: Settled, ID: "EG_1", Latest: info,
		Outcome: Outcome{Status: "EGRESS_COMPLETE", EndedBy: FromPoll}, NewsAt: time.Unix(1042, 6e8),
	}
	change(s)
	return s
}

func TestWhatPeopleAreToldOfASettledEgress(t *testing.T) {
	t.Parallel()
	for by, want := range map[Source]Concern{
		FromStart: ConcernMissed, FromWebhook: "", FromStop: ConcernMissed, FromPoll: ConcernMissed, FromReconcile: ConcernMissed, FromTimeout: ConcernMissed,
	} {
		if got := noticed(t, func(s *State) { s.EndedBy, s.NewsAt = by, s.NewsAt.Add(time.Minute) }).EndConcern(); got != want {
			t.Errorf("%s: got %q", by, got)
		}
		if got := noticed(t, func(s *State) { s.EndedBy, s.Status = by, Lost }).EndConcern(); got != ConcernLost {
			t.Errorf("lost, by %s: got %q, want the loss alone", by, got)
		}
	}
}

func TestANoticeIsDueOnceAndOnlyWithAHook(t *testing.T) {
	t.Parallel()
	off := noticed(t, func(s *State) { s.Notify = false })
	if _, due := off.Notice(ConcernMissed, 0, "standup-1", noticeSummary); due || off.Noticed != nil {
		t.Error("without a hook nobody is told, and nothing is noted")
	}
	on := noticed(t, func(*State) {})
	if _, due := on.Notice("", 0, "standup-1", noticeSummary); due {
		t.Error("no concern is no notice")
	}
	for _, c := range []Concern{ConcernMissed, ConcernLost, ConcernMedia, ConcernStuck, ConcernBroken, ConcernHealed} {
		for _, want := range []bool{true, false} {
			if _, due := on.Notice(c, 0, "standup-1", noticeSummary); due != want {
				t.Errorf("%s: got %v, want %v", c, due, want)
			}
		}
	}
}

func TestANoticeSaysWhatHappenedAndWhatToDo(t *testing.T) {
	t.Parallel()
	running := func(s *State) { s.Phase, s.Status, s.EndedBy = Watching, "", "" }
	for name, tc := range map[string]struct {
		concern Concern
		change  func(*State)
		step    string
		sum     Summary
		want    []string
		not     string
	}{
		"missed": {ConcernMissed, func(*State) {}, "", noticeSummary, []string{
			`egress_ended of egress EG_1 (room_composite of room "standup") did not reach us`, "It ended EGRESS_COMPLETE at 1970-01-01 00:16:40 UTC",
			"by poll, 43s late", "Class: unclassified", "`starter show standup-1`", "`starter list --missed`",
		}, "retry"},
		"lost": {ConcernLost, func(s *State) { s.Status, s.LostBecause = Lost, "LiveKit no longer knows the egress" }, "", noticeSummary, []string{
			"Recording lost: egress EG_1", "Evidence: LiveKit no longer knows the egress.", "`starter show standup-1`",
		}, "retry"},
		"stuck while it runs": {ConcernStuck, func(s *State) { running(s); s.Stuck = "it has been running for over 12h" }, "", noticeSummary, []string{
			"needs a person: egress EG_1", "Why: it has been running for over 12h.", "`starter show standup-1`", "`starter stop standup-1`",
		}, "retry"},
		"stuck before it begins": {ConcernStuck, func(s *State) { running(s); s.Stuck = WhyIdle }, "", noticeSummary, []string{
			"Why: it is STARTING still, though somebody publishes", "Does its page load", "`starter stop standup-1`",
		}, "records on"},
		"stuck in a step": {ConcernStuck, func(s *State) { s.Stuck = "step announce failed for good: the consumer answered 500" }, StepAnnounce, noticeSummary, []string{
			"Why: step announce failed for good", "`starter retry standup-1 announce`", "`starter skip standup-1 announce`",
		}, "stop"},
		"of a web egress that LiveKit has not named": {ConcernStuck, func(s *State) { running(s); s.ID = "" }, "", Summary{Kind: KindWeb}, []string{
			"egress without an ID yet (web)",
		}, "room"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, due := noticed(t, tc.change).Notice(tc.concern, 0, "standup-1", tc.sum)
			if !due || n.For.D() != time.Hour {
				t.Fatalf("got %+v", n)
			}
			n.Step = tc.step
			text := n.Text()
			for _, want := range tc.want {
				if !strings.Contains(text, want) {
					t.Errorf("lacks %q:\n%s", want, text)
				}
			}
			if strings.Contains(text, tc.not) || strings.HasSuffix(text, "\n") {
				t.Errorf("got\n%s", text)
			}
		})
	}
}

func TestEachPartAndEachCauseIsToldOfOnce(t *testing.T) {
	t.Parallel()
	s := noticed(t, func(s *State) { s.Stuck = WhyIdle })
	said := []string{}
	say := func(c Concern) {
		if n, due := s.Notice(c, 0, "standup-1", noticeSummary); due {
			said = append(said, n.About)
		}
	}
	say(ConcernStuck)
	s.Stuck = "it has been running for over 12h"
	say(ConcernStuck)
	s.AwaitsWord = []string{"announce-part-1"}
	say(ConcernStuck)
	say(ConcernStuck)
	s.AwaitsWord = append(s.AwaitsWord, "announce")
	say(ConcernStuck)
	say(ConcernLost)
	s.Part = 2
	say(ConcernLost)
	say(ConcernLost)
	if want := []string{"stuck-idle", "stuck-long", "stuck-announce-part-1", "stuck-announce", "lost", "lost-part-2"}; !slices.Equal(said, want) {
		t.Errorf("got %v, want %v", said, want)
	}
}

func TestANoticeFitsIntoAChat(t *testing.T) {
	t.Parallel()
	s := noticed(t, func(s *State) { s.Stuck = strings.Repeat("é", 5000) })
	n, _ := s.Notice(ConcernStuck, 0, strings.Repeat("i", 128), Summary{Kind: KindRoomComposite, Room: strings.Repeat("r", 255)})
	if l := len(n.Text()); l > 2000 {
		t.Errorf("%d characters", l)
	}
}

func TestANoticeIsTheSameBehindTheWire(t *testing.T) {
	t.Parallel()
	n, _ := noticed(t, func(*State) {}).Notice(ConcernMissed, 0, "standup-1", noticeSummary)
	b, err := json.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	var got Notice
	if err := json.Unmarshal(b, &got); err != nil || got.Text() != n.Text() {
		t.Errorf("got %v and\n%s", err, got.Text())
	}
}

func TestTheIDOfANoticeIsNoEgress(t *testing.T) {
	t.Parallel()
	id := NoticeID("standup-1", "lost")
	if id != "egress-notice/standup-1/lost" {
		t.Errorf("got %q", id)
	}
	if _, is := RequestID(id); is {
		t.Error("it is taken for an egress")
	}
}

func TestTheIDOfANoticeFitsIntoPostgreSQL(t *testing.T) {
	t.Parallel()
	requestID, consumer := strings.Repeat("i", maxIDLength), strings.Repeat("c", 64)
	about := "stuck-announce-" + consumer + "-part-12-corrected-corrected/corrects-EG_xxxxxxxxxxxx"
	first, second := NoticeID(requestID, about), NoticeID(requestID, about+"/2")
	for _, id := range []string{first, second} {
		if len(id) != 255 || !strings.HasPrefix(id, (noticePrefix + requestID + "/" + about)[:230]+"-") {
			t.Errorf("got %q of %d bytes", id, len(id))
		}
	}
	if first == second || first != NoticeID(requestID, about) {
		t.Errorf("got %q and %q, want one for each cause, always the same", first, second)
	}
	whole := strings.Repeat("a", 255-len(noticePrefix+requestID+"/"))
	if id := NoticeID(requestID, whole); id != noticePrefix+requestID+"/"+whole {
		t.Errorf("got %q, want it whole", id)
	}
}
