package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/reelkeeper/reelkeeper/recordings"
)

func waitingFor(steps ...string) []recordings.WaitingStep {
	var waiting []recordings.WaitingStep
	for _, step := range steps {
		waiting = append(waiting, recordings.WaitingStep{WorkflowID: "egress/req", Step: step})
	}
	return waiting
}

func TestAWordIsSaidToTheStepsThatWaitForOne(t *testing.T) {
	t.Parallel()
	again := recordings.WaitingStep{WorkflowID: "egress-redelivery/req/2", Step: "announce"}
	for line, tc := range map[string]struct {
		waiting []recordings.WaitingStep
		want    []string
	}{
		"retry EG_1 announce":        {waitingFor("announce", "webhook-1"), []string{"retry egress/req announce"}},
		"retry EG_1 --step announce": {waitingFor("announce", "webhook-1"), []string{"retry egress/req announce"}},
		"retry EG_1":                 {waitingFor("announce", "webhook-1"), []string{"retry egress/req announce", "retry egress/req webhook-1"}},
		"retry req":                  {append(waitingFor("announce"), again), []string{"retry egress/req announce", "retry egress-redelivery/req/2 announce"}},
		"skip EG_1":                  {waitingFor("webhook-1"), []string{"skip egress/req webhook-1"}},
		"skip EG_1 --step webhook-1": {waitingFor("announce", "webhook-1"), []string{"skip egress/req webhook-1"}},
		"skip req announce":          {[]recordings.WaitingStep{again}, []string{"skip egress-redelivery/req/2 announce"}},
	} {
		s := newShell()
		s.waiting = tc.waiting
		got := s.run(t, fields(line)...)
		if got.status != 0 || !slices.Equal(s.asked, tc.want) || strings.Count(got.stdout, ": requested ") != len(tc.want) || s.role != "reader" {
			t.Errorf("%s: got %+v, asked %q", line, got, s.asked)
		}
	}
	s := newShell()
	s.waiting = waitingFor("announce")
	if got := s.run(t, "retry", "EG_1"); got.stdout != "EG_1: requested retry of step announce\n" {
		t.Errorf("got %+v", got)
	}
	if got := s.run(t, "skip", "EG_1", "announce", "--json"); !strings.Contains(got.stdout, `"said": "skip"`) || !strings.Contains(got.stdout, `"workflow_id": "egress/req"`) {
		t.Errorf("got %+v", got)
	}
}

func TestAWordThatIsForNoStepOrForTooManyIsRefused(t *testing.T) {
	t.Parallel()
	again := recordings.WaitingStep{WorkflowID: "egress-redelivery/req/2", Step: "announce"}
	for line, tc := range map[string]struct {
		waiting []recordings.WaitingStep
		want    string
	}{
		"retry EG_1":          {nil, "no step of EG_1 waits for retry or skip; starter list --stuck lists what does"},
		"skip EG_1 announce":  {nil, "no step of EG_1 waits for retry or skip; starter list --stuck lists what does"},
		"retry EG_1 webhook":  {waitingFor("announce"), `--step: "webhook" does not wait for retry or skip; want one of announce`},
		"skip EG_1":           {waitingFor("announce", "webhook-1"), "--step: is missing, and several steps wait: want one of announce, webhook-1"},
		"skip EG_1 announce ": {append(waitingFor("announce"), again), "ID: matches several steps that wait: announce, announce of egress-redelivery/req/2; want the ID of one workflow"},
	} {
		s := newShell()
		s.waiting = tc.waiting
		wantRefusal(t, s, s.run(t, fields(line)...), tc.want)
	}
}
