package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/reelkeeper/reelkeeper/recordings"
)

func waiting(steps ...string) []recordings.Held {
	var held []recordings.Held
	for _, step := range steps {
		held = append(held, recordings.Held{WorkflowID: "egress/req", Step: step})
	}
	return held
}

func TestAWordIsSaidToTheStepsThatWaitForOne(t *testing.T) {
	t.Parallel()
	again := recordings.Held{WorkflowID: "egress-redelivery/req/2", Step: "announce"}
	for line, tc := range map[string]struct {
		held []recordings.Held
		want []string
	}{
		"retry EG_1 announce":        {waiting("announce", "webhook-1"), []string{"retry egress/req announce"}},
		"retry EG_1 --step announce": {waiting("announce", "webhook-1"), []string{"retry egress/req announce"}},
		"retry EG_1":                 {waiting("announce", "webhook-1"), []string{"retry egress/req announce", "retry egress/req webhook-1"}},
		"retry req":                  {append(waiting("announce"), again), []string{"retry egress/req announce", "retry egress-redelivery/req/2 announce"}},
		"skip EG_1":                  {waiting("webhook-1"), []string{"skip egress/req webhook-1"}},
		"skip EG_1 --step webhook-1": {waiting("announce", "webhook-1"), []string{"skip egress/req webhook-1"}},
		"skip req announce":          {[]recordings.Held{again}, []string{"skip egress-redelivery/req/2 announce"}},
	} {
		s := newShell()
		s.held = tc.held
		got := s.run(t, fields(line)...)
		if got.status != 0 || !slices.Equal(s.asked, tc.want) || strings.Count(got.stdout, " is noted\n") != len(tc.want) || s.role != "reader" {
			t.Errorf("%s: got %+v, asked %q", line, got, s.asked)
		}
	}
	s := newShell()
	s.held = waiting("announce")
	if got := s.run(t, "retry", "EG_1"); got.stdout != "EG_1: retry of step announce is noted\n" {
		t.Errorf("got %+v", got)
	}
	if got := s.run(t, "skip", "EG_1", "announce", "--json"); !strings.Contains(got.stdout, `"said": "skip"`) || !strings.Contains(got.stdout, `"workflow_id": "egress/req"`) {
		t.Errorf("got %+v", got)
	}
}

func TestAWordThatIsForNoStepOrForTooManyIsRefused(t *testing.T) {
	t.Parallel()
	again := recordings.Held{WorkflowID: "egress-redelivery/req/2", Step: "announce"}
	for line, tc := range map[string]struct {
		held []recordings.Held
		want string
	}{
		"retry EG_1":          {nil, "no step of EG_1 waits for a word"},
		"skip EG_1 announce":  {nil, "no step of EG_1 waits for a word"},
		"retry EG_1 webhook":  {waiting("announce"), `--step: "webhook" does not wait for a word; want one of announce`},
		"skip EG_1":           {waiting("announce", "webhook-1"), "--step: is missing: several wait for a word: announce, webhook-1"},
		"skip EG_1 announce ": {append(waiting("announce"), again), "ID: names several that wait for a word: announce, announce of egress-redelivery/req/2; want the workflow's own"},
	} {
		s := newShell()
		s.held = tc.held
		wantRefusal(t, s, s.run(t, fields(line)...), tc.want)
	}
}
