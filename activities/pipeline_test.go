package activities_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

func withPipelines(c *activities.Config) {
	c.Pipelines = egress.Pipelines{Default: "standard", Named: map[string]egress.Pipeline{"standard": {Name: "standard"}, "archive": {Name: "archive"}}}
}

// named returns a start that names its pipeline.
func named(pipeline string) activities.StartRequest {
	in := plain(roomRequest())
	in.Input.Pipeline = pipeline
	return in
}

func TestAStartAnswersThePipelineThatItsRequestNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"": "standard", "archive": "archive"} {
		s, err := start(t, &api{onStart: accepts}, named(name), withPipelines)
		require.NoError(t, err)
		require.Equal(t, want, s.Terms.Pipeline.Name)
	}
}

func TestAPipelineThatIsNotThereIsRefusedBeforeLiveKitIsAsked(t *testing.T) {
	t.Parallel()
	a := &api{} // a start would panic
	_, err := start(t, a, named("gone"), withPipelines)
	ae, e := failed(t, err)
	require.True(t, ae.NonRetryable())
	require.Equal(t, egress.Error{Reason: egress.Invalid, Field: "pipeline", Message: `there is no "gone"; want one of archive, standard`}, e)
	require.Empty(t, a.log)
}

// Another worker may have known the pipeline and started: what it started is not lost.
func TestALaterAttemptThatDoesNotKnowThePipelineBeginsNothing(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		a := &api{onList: lists(ours(t, "EG_earlier"))}
		s, err := secondAttempt(t, a, named("gone"))
		require.NoError(t, err)
		require.Equal(t, "EG_earlier", s.Info.Proto().GetEgressId())

		a = &api{onList: lists()}
		_, err = secondAttempt(t, a, named("gone"))
		_, e := failed(t, err)
		require.Equal(t, "pipeline", e.Field)
		require.Equal(t, egress.Invalid, e.Reason)
	})
}

func TestALaterPartAsksForNoPipeline(t *testing.T) {
	t.Parallel()
	in := named("gone")
	in.Part = 2
	_, err := start(t, &api{onStart: accepts}, in, withPipelines)
	require.NoError(t, err, "the terms of the first part go on")
}
