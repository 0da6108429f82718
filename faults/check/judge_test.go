package check

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// at returns a time some seconds after noon.
func at(seconds float64) time.Time { return noon.Add(time.Duration(seconds * float64(time.Second))) }

var rules = Rules{Path: "/announced", Bound: time.Minute, Past: "localhost", Hang: 6 * time.Second}

// logs are the logs of one life, by its three witnesses.
type logs struct{ Logs }

// accepted is the log of a life whose agent was told of EG_1.
func accepted() *logs {
	l := &logs{}
	return l.agent(Agent{At: at(0), Did: Began, Subject: "room", Kind: "room_composite"}).
		agent(Agent{At: at(1), Did: Answered, Outcome: Accepted, EgressID: "EG_1", Tries: 1})
}

// owned is accepted, with a request that names its own webhook.
func owned() *logs { return accepted().owning() }

func (l *logs) owning() *logs {
	l.Agents[0].Own = "/own"
	return l
}

func unanswered(o Outcome) *logs {
	l := &logs{}
	return l.agent(Agent{At: at(0), Did: Began, Subject: "room", Kind: "room_composite"}).agent(Agent{At: at(1), Did: Answered, Outcome: o, Tries: 3})
}

func (l *logs) agent(a Agent) *logs {
	a.Life = 1
	l.Agents = append(l.Agents, a)
	return l
}

// records adds an egress of the room that records from its start on.
func (l *logs) records(id string, since float64) *logs {
	return l.state(since, Egress{ID: id, Room: "room", Status: "EGRESS_ACTIVE", Accepted: at(since), Recorded: true})
}

// page adds an egress that records a page.
func (l *logs) page(id, url string) *logs {
	return l.state(1, Egress{ID: id, URL: url, Status: "EGRESS_ACTIVE", Accepted: at(1), Recorded: true})
}

func (l *logs) state(seconds float64, e Egress) *logs {
	l.LiveKit = append(l.LiveKit, LiveKit{At: at(seconds), Egress: &e})
	return l
}

// then changes the egress that changed last.
func (l *logs) then(seconds float64, change func(e *Egress)) *logs {
	e := *l.LiveKit[len(l.LiveKit)-1].Egress
	change(&e)
	return l.state(seconds, e)
}

func (l *logs) ends(seconds float64, status string) *logs {
	return l.then(seconds, func(e *Egress) { e.Status, e.Ended = status, at(seconds) })
}

// again makes the egress run a second time.
func (l *logs) again(seconds float64) *logs {
	return l.then(seconds, func(e *Egress) { e.Status, e.Ended = "EGRESS_ACTIVE", time.Time{} })
}

func (l *logs) dies(seconds float64) *logs {
	return l.then(seconds, func(e *Egress) { e.Dead = true })
}

func (l *logs) forgets(seconds float64) *logs {
	return l.then(seconds, func(e *Egress) { e.Forgotten = true })
}

func (l *logs) told(seconds float64, eventID, egressID, status, failure string) *logs {
	l.Consumer = append(l.Consumer, Request{
		At: at(seconds), Path: "/announced", Verified: true, Answer: http.StatusOK, Header: http.Header{},
		Body: fmt.Sprintf(`{"event":"egress_ended","id":%q,"egressInfo":{"egressId":%q,"status":%q,"error":%q}}`, eventID, egressID, status, failure),
	})
	return l
}

// but changes the last request to the consumer.
func (l *logs) but(change func(r *Request)) *logs {
	change(&l.Consumer[len(l.Consumer)-1])
	return l
}

const failed = "EGRESS_FAILED"

func TestThePromise(t *testing.T) {
	t.Parallel()
	kept := map[Kind]int{}
	for name, tc := range map[string]struct {
		logs *logs
		want map[Kind]int
	}{
		"it is recorded once, and told of once":           {accepted().records("EG_1", 1).ends(5, complete).told(6, "EV_1", "EG_1", complete, ""), kept},
		"told again under the same event ID":              {accepted().records("EG_1", 1).ends(5, complete).told(6, "EV_1", "EG_1", complete, "").told(7, "EV_1", "EG_1", complete, ""), kept},
		"it runs still":                                   {accepted().records("EG_1", 1), kept},
		"its agent was refused, and nothing was recorded": {unanswered(Refused), kept},
		"its agent got no answer, and it is told of":      {unanswered(Unknown).records("EG_1", 1).ends(5, complete).told(6, "EV_1", "EG_1", complete, ""), kept},
		"aborted before it recorded, unknown to anybody":  {unanswered(Unknown).state(1, Egress{ID: "EG_1", Room: "room"}).ends(5, "EGRESS_ABORTED"), kept},

		"never told of": {accepted().records("EG_1", 1).ends(5, complete), map[Kind]int{KindLost: 1}},
		"never told of, though its agent had no answer":  {unanswered(Unknown).records("EG_1", 1).ends(5, complete), map[Kind]int{KindLost: 1}},
		"never told of, though its agent was refused":    {unanswered(Refused).records("EG_1", 1).ends(5, complete), map[Kind]int{KindLost: 1, KindDenied: 1}},
		"it was over when its agent was refused":         {unanswered(Refused).records("EG_1", 0.1).ends(0.9, complete).told(6, "EV_1", "EG_1", complete, ""), kept},
		"it was dead when its agent was refused":         {unanswered(Refused).records("EG_1", 0.1).dies(0.9).told(6, "EV_1", "EG_1", failed, "lost: x"), kept},
		"it had failed when its agent was refused":       {unanswered(Refused).records("EG_1", 0.1).ends(0.5, failed).told(6, "EV_1", "EG_1", failed, ""), kept},
		"it ran again when its agent was refused":        {unanswered(Refused).records("EG_1", 0.1).ends(0.5, failed).again(0.9).ends(5, complete).told(6, "EV_1", "EG_1", complete, ""), map[Kind]int{KindDenied: 1}},
		"it ran again once its agent was refused":        {unanswered(Refused).records("EG_1", 0.1).ends(0.5, failed).again(1.1).ends(5, complete).told(6, "EV_1", "EG_1", complete, ""), kept},
		"it began after its agent was refused":           {unanswered(Refused).records("EG_1", 1.1).ends(5, complete).told(6, "EV_1", "EG_1", complete, ""), kept},
		"told of, and its agent was refused":             {unanswered(Refused).records("EG_1", 1).ends(5, complete).told(6, "EV_1", "EG_1", complete, ""), map[Kind]int{KindDenied: 1}},
		"the agent was told of another's":                {accepted().state(1, Egress{ID: "EG_1", Room: "other", Recorded: true}).ends(5, complete).told(6, "EV_1", "EG_1", complete, ""), map[Kind]int{KindInvented: 1}},
		"aborted, accepted and never told of":            {accepted().state(1, Egress{ID: "EG_1", Room: "room"}).ends(5, "EGRESS_ABORTED"), map[Kind]int{KindLost: 1}},
		"the consumer's answer was 500":                  {accepted().records("EG_1", 1).ends(5, complete).told(6, "EV_1", "EG_1", complete, "").but(func(r *Request) { r.Answer = 500 }), map[Kind]int{KindLost: 1}},
		"told without a signature":                       {accepted().records("EG_1", 1).ends(5, complete).told(6, "EV_1", "EG_1", complete, "").but(func(r *Request) { r.Verified = false }), map[Kind]int{KindLost: 1, KindUnverified: 1}},
		"told only at the request's own webhook":         {owned().records("EG_1", 1).ends(5, complete).told(6, "EV_1", "EG_1", complete, "").but(own), map[Kind]int{KindLost: 1}},
		"told of another event alone":                    {accepted().records("EG_1", 1).ends(5, complete).told(6, "EV_1", "EG_1", complete, "").but(func(r *Request) { r.Body = `{"event":"egress_updated"}` }), map[Kind]int{KindLost: 1}},
		"told of in the last moment":                     {accepted().records("EG_1", 1).ends(5, complete).told(65, "EV_1", "EG_1", complete, ""), kept},
		"told of too late":                               {accepted().records("EG_1", 1).ends(5, complete).told(65.1, "EV_1", "EG_1", complete, ""), map[Kind]int{KindLate: 1}},
		"told of before its end":                         {accepted().records("EG_1", 1).ends(5, complete).told(4.8, "EV_1", "EG_1", complete, ""), map[Kind]int{KindEarly: 1}},
		"told of within the skew of the clocks":          {accepted().records("EG_1", 1).ends(5, complete).told(4.95, "EV_1", "EG_1", complete, ""), kept},
		"told of, and it runs still":                     {accepted().records("EG_1", 1).told(4, "EV_1", "EG_1", complete, ""), map[Kind]int{KindEarly: 1, KindWrong: 1}},
		"told of as it did not end":                      {accepted().records("EG_1", 1).ends(5, complete).told(6, "EV_1", "EG_1", failed, ""), map[Kind]int{KindEarly: 1, KindWrong: 1}},
		"told of twice":                                  {accepted().records("EG_1", 1).ends(5, complete).told(6, "EV_1", "EG_1", complete, "").told(7, "EV_2", "EG_1", complete, ""), map[Kind]int{KindRepeated: 1}},
		"told of three times":                            {accepted().records("EG_1", 1).ends(5, complete).told(6, "EV_1", "EG_1", complete, "").told(7, "EV_2", "EG_1", complete, "").told(8, "EV_3", "EG_1", complete, ""), map[Kind]int{KindRepeated: 2}},
		"one event ID with two verdicts":                 {accepted().records("EG_1", 1).ends(5, failed).told(6, "EV_1", "EG_1", failed, "").told(7, "EV_1", "EG_1", complete, ""), map[Kind]int{KindRepeated: 1}},
		"the agent was told of what never was":           {accepted(), map[Kind]int{KindInvented: 1}},
		"the consumer was told of what never was":        {unanswered(Refused).told(6, "EV_1", "EG_9", complete, ""), map[Kind]int{KindInvented: 1}},
		"twice at the request's own webhook":             {owned().records("EG_1", 1).ends(5, complete).told(6, "EV_1", "EG_1", complete, "").told(6, "EV_1", "EG_1", complete, "").but(own).told(7, "EV_2", "EG_1", complete, "").but(own), map[Kind]int{KindRepeated: 1}},
		"told of in the main and at the request's own":   {owned().records("EG_1", 1).ends(5, complete).told(6, "EV_1", "EG_1", complete, "").told(6, "EV_1", "EG_1", complete, "").but(own), kept},
		"an own webhook that is told of a worse verdict": {owned().records("EG_1", 1).ends(5, complete).told(6, "EV_1", "EG_1", complete, "").told(6, "EV_1", "EG_1", Lost, "lost: x").but(own), map[Kind]int{KindWrong: 1, KindEarly: 1}},
		"a webhook that its request does not name":       {accepted().records("EG_1", 1).ends(5, complete).told(6, "EV_1", "EG_1", complete, "").told(6, "EV_1", "EG_1", complete, "").but(own), map[Kind]int{KindInvented: 1}},
		"the webhook of another agent":                   {owned().records("EG_1", 1).ends(5, complete).told(6, "EV_1", "EG_1", complete, "").told(6, "EV_1", "EG_1", complete, "").but(func(r *Request) { r.Path = "/own/2" }), map[Kind]int{KindInvented: 1, KindLost: 1}},
		"an own webhook that is never told":              {owned().records("EG_1", 1).ends(5, complete).told(6, "EV_1", "EG_1", complete, ""), map[Kind]int{KindLost: 1}},
		"an own webhook that is told":                    {owned().records("EG_1", 1).ends(5, complete).told(6, "EV_1", "EG_1", complete, "").told(6, "EV_1", "EG_1", complete, "").but(own), kept},
		"an own webhook that is told late":               {owned().records("EG_1", 1).ends(5, complete).told(6, "EV_1", "EG_1", complete, "").told(66, "EV_1", "EG_1", complete, "").but(own), map[Kind]int{KindLate: 1}},
		"an own webhook that LiveKit serves":             {owned().records("EG_1", 1).then(1, func(e *Egress) { e.Hooks = []string{"/own"} }).ends(5, complete).told(6, "EV_1", "EG_1", complete, ""), kept},
		"it records on after its stop":                   {accepted().records("EG_1", 1).agent(Agent{At: at(9), Did: Stopped}), map[Kind]int{KindUnstopped: 1}},
		"its stop was refused":                           {accepted().records("EG_1", 1).agent(Agent{At: at(9), Did: Stopped, Error: "no"}), kept},
		"its stop ended it":                              {accepted().records("EG_1", 1).agent(Agent{At: at(9), Did: Stopped}).ends(10, complete).told(11, "EV_1", "EG_1", complete, ""), kept},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, counted(tc.logs))
		})
	}
}

func own(r *Request) { r.Path = "/own" }

func counted(l *logs) map[Kind]int { return countedBy(rules, l) }

func countedBy(r Rules, l *logs) map[Kind]int {
	findings, _ := Judge(l.Logs, r)
	counts := map[Kind]int{}
	for _, f := range findings {
		counts[f.Kind]++
	}
	return counts
}

func TestWhatIsLost(t *testing.T) {
	t.Parallel()
	lost := func(l *logs, seconds float64) *logs {
		return l.told(seconds, "EV_L", "EG_1", failed, "lost: nobody answers")
	}
	kept := map[Kind]int{}
	page := func() *logs {
		l := &logs{}
		l.agent(Agent{At: at(0), Did: Began, Subject: "https://page"}).agent(Agent{At: at(1), Did: Answered, Outcome: Accepted, EgressID: "EG_1"})
		return l.page("EG_1", "https://page").dies(3)
	}
	for name, tc := range map[string]struct {
		logs *logs
		want map[Kind]int
	}{
		"its worker died":                            {lost(accepted().records("EG_1", 1).dies(3), 20), kept},
		"its worker died, and nobody was told":       {accepted().records("EG_1", 1).dies(3), map[Kind]int{KindLost: 1}},
		"its worker died, and that was told late":    {lost(accepted().records("EG_1", 1).dies(3), 63.1), map[Kind]int{KindLate: 1}},
		"its worker died, and it is told as whole":   {accepted().records("EG_1", 1).dies(3).told(20, "EV_1", "EG_1", complete, ""), map[Kind]int{KindEarly: 1, KindWrong: 1}},
		"LiveKit forgot it":                          {lost(accepted().records("EG_1", 1).forgets(3).ends(5, complete), 20), kept},
		"LiveKit forgot it, and nobody was told":     {accepted().records("EG_1", 1).forgets(3).ends(5, complete), map[Kind]int{KindLost: 1}},
		"it was well":                                {lost(accepted().records("EG_1", 1).ends(5, complete), 20), map[Kind]int{KindWrong: 1, KindEarly: 1}},
		"it never ended":                             {lost(accepted().records("EG_1", 1), 20), map[Kind]int{KindEarly: 1, KindWrong: 1}},
		"it was well, and that was corrected":        {lost(accepted().records("EG_1", 1).ends(5, complete), 6).told(20, "EV_1", "EG_1", complete, ""), map[Kind]int{KindEarly: 1}},
		"its worker was about to die":                {lost(accepted().records("EG_1", 1).dies(3), 2), map[Kind]int{KindEarly: 1}},
		"forgotten, and corrected in time":           {lost(accepted().records("EG_1", 1).forgets(3).ends(30, complete), 6).told(31, "EV_1", "EG_1", complete, ""), kept},
		"forgotten, and its end is long after":       {lost(accepted().records("EG_1", 1).forgets(3).ends(70, complete), 6).told(71, "EV_1", "EG_1", complete, ""), kept},
		"forgotten, and corrected late":              {lost(accepted().records("EG_1", 1).forgets(3).ends(5, complete), 6).told(70, "EV_1", "EG_1", complete, ""), map[Kind]int{KindLate: 1}},
		"it was whole, and is told as lost after":    {lost(accepted().records("EG_1", 1).ends(5, complete).told(6, "EV_1", "EG_1", complete, ""), 7), map[Kind]int{KindRepeated: 1, KindWrong: 1, KindEarly: 1}},
		"told as lost twice":                         {accepted().records("EG_1", 1).dies(3).told(20, "EV_1", "EG_1", failed, "lost: x").told(21, "EV_2", "EG_1", failed, "lost: y"), map[Kind]int{KindRepeated: 1}},
		"a page whose worker died, unasked":          {page(), kept},
		"a page whose worker died, stopped":          {page().agent(Agent{At: at(9), Did: Stopped}), map[Kind]int{KindLost: 1}},
		"a page whose worker died, told in time":     {lost(page().agent(Agent{At: at(9), Did: Stopped}), 69), kept},
		"a page stopped before its worker died":      {lost(page().agent(Agent{At: at(2), Did: Stopped}), 63.1), map[Kind]int{KindLate: 1}},
		"it ran twice, and its last end was told":    {accepted().records("EG_1", 1).ends(3, failed).ends(9, complete).told(10, "EV_1", "EG_1", complete, ""), kept},
		"it ran twice, and each end was told":        {accepted().records("EG_1", 1).ends(3, failed).ends(9, complete).told(4, "EV_1", "EG_1", failed, "").told(10, "EV_2", "EG_1", complete, ""), kept},
		"it ran twice, and the last is not told":     {accepted().records("EG_1", 1).ends(3, failed).ends(9, complete).told(4, "EV_1", "EG_1", failed, ""), map[Kind]int{KindWrong: 1}},
		"it ran twice, and was told of three times":  {accepted().records("EG_1", 1).ends(3, failed).ends(9, complete).told(4, "EV_1", "EG_1", failed, "").told(10, "EV_2", "EG_1", complete, "").told(11, "EV_3", "EG_1", complete, ""), map[Kind]int{KindRepeated: 1}},
		"it failed, and runs again":                  {accepted().records("EG_1", 1).ends(3, failed).again(4), kept},
		"it ran twice, and is told late of its last": {accepted().records("EG_1", 1).ends(3, failed).ends(9, complete).told(70, "EV_1", "EG_1", complete, ""), map[Kind]int{KindLate: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, counted(tc.logs))
		})
	}
}

// If an egress was started past Temporal, or by a call that LiveKit has not answered, and is
// forgotten before anybody accepted a webhook of it, only its agent can know of it.
func TestWhatNobodyCanKnowOfIsCountedApart(t *testing.T) {
	t.Parallel()
	of := func(l *logs, host string) *logs {
		return l.records("EG_1", 1).then(2, func(e *Egress) { e.Host = host }).forgets(3)
	}
	forgotten := func(host string) *logs { return of(accepted(), host) }
	sentTo := func(path string, l *logs, outcome string) *logs {
		l.LiveKit = append(l.LiveKit, LiveKit{Webhook: &Webhook{ID: "EV_0", EgressID: "EG_1", Outcome: outcome, Path: path}})
		return l
	}
	sent := func(l *logs, outcome string) *logs { return sentTo("/webhooks/livekit", l, outcome) }
	hanging := func(l *logs, fault string, forgotten float64) *logs {
		l.state(1, Egress{ID: "EG_1", Room: "room", Status: "EGRESS_ACTIVE", Accepted: at(1), Recorded: true, Faults: []string{"zombie", fault}})
		return l.forgets(forgotten)
	}
	killed := func(l *logs, part string, moment, forgotten float64) *logs {
		l.Kills = append(l.Kills, Kill{At: at(moment), Part: part})
		return hanging(l, "start-slow", forgotten)
	}
	asked := func(l *logs) *logs { l.Kills[0].Asked = true; return l }
	for name, tc := range map[string]struct {
		logs       *logs
		unknowable int
	}{
		"it was started past Temporal":     {forgotten("localhost:7880"), 1},
		"it was started by a workflow":     {forgotten("127.0.0.1:7880"), 0},
		"a webhook was taken":              {sent(forgotten("localhost:7880"), "sent"), 0},
		"only its own endpoint took one":   {sentTo("/own", of(owned(), "localhost:7880"), "sent"), 1},
		"a webhook was dropped":            {sent(forgotten("localhost:7880"), "dropped"), 1},
		"its start's reply hangs":          {hanging(unanswered(Refused), "reply-hang", 6.9), 1},
		"the reply would have come":        {hanging(unanswered(Refused), "reply-hang", 7), 0},
		"its start's reply is lost":        {hanging(unanswered(Refused), "reply-lost", 3), 1},
		"its start's reply is an error":    {hanging(unanswered(Unknown), "reply-5xx", 3), 1},
		"its start's reply came":           {hanging(unanswered(Unknown), "start-slow", 3), 0},
		"a worker was killed meanwhile":    {killed(unanswered(Unknown), "worker", 2, 3), 1},
		"it was asked to stop":             {asked(killed(unanswered(Unknown), "worker", 2, 3)), 0},
		"LiveKit was":                      {killed(unanswered(Unknown), "livekit", 2, 3), 1},
		"Temporal was":                     {killed(unanswered(Unknown), "temporal", 2, 3), 1},
		"the door was":                     {killed(unanswered(Unknown), "door", 2, 3), 0},
		"it was killed before":             {killed(unanswered(Unknown), "worker", 0.9, 3), 0},
		"it was killed later":              {killed(unanswered(Unknown), "worker", 3.1, 3), 0},
		"killed, and known for long":       {killed(unanswered(Unknown), "worker", 2, 7), 0},
		"it hangs, and its agent is told":  {hanging(accepted(), "reply-hang", 3), 0},
		"it hangs, and a webhook is taken": {sent(hanging(unanswered(Refused), "reply-hang", 3), "sent"), 0},
		"its end is known, and was not told": {func() *logs {
			l := forgotten("localhost:7880")
			return l.then(4, func(e *Egress) { e.Forgotten = false }).ends(5, complete)
		}(), 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			findings, f := Judge(tc.logs.Logs, rules)
			require.Equal(t, tc.unknowable, f.Unknown)
			require.Equal(t, 1-tc.unknowable, Count(findings, KindLost))
		})
	}
	told := forgotten("localhost:7880").told(20, "EV_L", "EG_1", failed, "lost: x")
	_, f := Judge(told.Logs, rules)
	require.Zero(t, f.Unknown, "somebody did know")
}

// Recordings by another Reelkeeper on the same LiveKit are not ours to stop or to announce.
func TestANeighbourIsLeftAlone(t *testing.T) {
	t.Parallel()
	const page = "https://example.com/theirs"
	beside := func() *logs {
		l := accepted().agent(Agent{At: at(1), Did: Neighbour, Subject: page}).agent(Agent{At: at(8), Did: NeighbourOver, Subject: page})
		return l.page("EG_9", page)
	}
	ours := func(l *logs) *logs {
		return l.records("EG_1", 1).ends(5, complete).told(6, "EV_1", "EG_1", complete, "")
	}
	meddled := map[Kind]int{KindMeddled: 1}
	for name, tc := range map[string]struct {
		logs *logs
		want map[Kind]int
	}{
		"they end it":              {ours(beside().ends(8.1, complete)), map[Kind]int{}},
		"it fails":                 {ours(beside().ends(3, failed)), map[Kind]int{}},
		"its worker dies":          {ours(beside().dies(3)), map[Kind]int{}},
		"it goes on":               {ours(beside()), map[Kind]int{}},
		"it is stopped":            {ours(beside().ends(7.9, complete)), meddled},
		"it is stopped at once":    {ours(beside().ends(1.2, "EGRESS_ABORTED")), meddled},
		"it is aborted":            {ours(beside().then(1.2, func(e *Egress) { e.Faults = []string{"aborted"} }).ends(1.2, "EGRESS_ABORTED")), map[Kind]int{}},
		"it fails, and is stopped": {ours(beside().ends(3, failed).ends(7, complete)), meddled},
		"our consumer is told":     {ours(beside().ends(8.1, complete)).told(9, "EV_9", "EG_9", complete, ""), meddled},
		"told, and it goes on":     {ours(beside()).told(9, "EV_9", "EG_9", Lost, "lost: x"), meddled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, counted(tc.logs))
			_, f := Judge(tc.logs.Logs, rules)
			require.Equal(t, 1, f.Neighbours)
			require.Zero(t, f.Running, "it is not waited for")
		})
	}
	running := accepted().agent(Agent{At: at(1), Did: Neighbour, Subject: page}).page("EG_9", page).ends(5, complete)
	require.Equal(t, meddled, counted(ours(running)), "they have not asked for its end at all")
}

func TestTwins(t *testing.T) {
	t.Parallel()
	told := func(l *logs, ids ...string) *logs {
		for n, id := range ids {
			l.told(30, fmt.Sprintf("EV_%d", n), id, l.last(id), "")
		}
		return l
	}
	for name, tc := range map[string]struct {
		logs *logs
		want int
	}{
		"one":                             {told(accepted().records("EG_1", 1).ends(9, complete), "EG_1"), 0},
		"two beside each other":           {told(accepted().records("EG_1", 1).ends(9, complete).records("EG_2", 2).ends(9, complete), "EG_1", "EG_2"), 1},
		"three beside each other":         {told(accepted().records("EG_1", 1).ends(9, complete).records("EG_2", 2).ends(9, complete).records("EG_3", 3).ends(9, complete), "EG_1", "EG_2", "EG_3"), 2},
		"a second one that never records": {told(accepted().records("EG_1", 1).ends(9, complete).state(2, Egress{ID: "EG_2", Room: "room"}).ends(9, "EGRESS_ABORTED"), "EG_1"), 0},
		"of another life":                 {told(accepted().records("EG_1", 1).ends(9, complete).state(2, Egress{ID: "EG_2", Room: "other", Recorded: true}).ends(9, complete), "EG_1", "EG_2"), 0},
		"one after one that is whole":     {told(accepted().records("EG_1", 1).ends(5, complete).records("EG_2", 6).ends(9, complete), "EG_1", "EG_2"), 1},
		"one after one that failed":       {told(accepted().records("EG_1", 1).ends(5, failed).records("EG_2", 6).ends(9, complete), "EG_1", "EG_2"), 0},
		"one before the other failed":     {told(accepted().records("EG_1", 1).ends(5, failed).records("EG_2", 4).ends(9, complete), "EG_1", "EG_2"), 1},
		"one after one whose worker died": {told(accepted().records("EG_1", 1).dies(3).records("EG_2", 6).ends(9, complete), "EG_2").told(20, "EV_L", "EG_1", failed, "lost: x"), 0},
		"one beside a second run":         {told(accepted().records("EG_1", 1).ends(3, failed).again(4).ends(9, complete).records("EG_2", 6).ends(9, complete), "EG_1", "EG_2"), 1},
		"one before the second run":       {told(accepted().records("EG_1", 1).ends(3, failed).again(7).ends(9, complete).records("EG_2", 6).ends(9, complete), "EG_1", "EG_2"), 0},
		"one after the second run failed": {told(accepted().records("EG_1", 1).ends(3, failed).again(4).ends(5, failed).records("EG_2", 6).ends(9, complete), "EG_1", "EG_2"), 0},
		"one before its worker died":      {told(accepted().records("EG_1", 1).dies(7).records("EG_2", 6).ends(9, complete), "EG_2").told(20, "EV_L", "EG_1", failed, "lost: x"), 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			findings, _ := Judge(tc.logs.Logs, rules)
			require.Equal(t, tc.want, Count(findings, KindTwin))
			require.Len(t, findings, tc.want, "and nothing else")
		})
	}
}

// last returns how an egress ended.
func (l *logs) last(id string) (status string) {
	for _, line := range l.LiveKit {
		if line.Egress.ID == id {
			status = line.Egress.Status
		}
	}
	return status
}

func TestWhatIsOpen(t *testing.T) {
	t.Parallel()
	ended := func() *logs { return accepted().records("EG_1", 1).ends(5, complete) }
	for name, tc := range map[string]struct {
		logs          *logs
		rules         Rules
		owed, running int
	}{
		"nothing":                   {ended().told(6, "EV_1", "EG_1", complete, ""), rules, 0, 0},
		"nothing: it came late":     {ended().told(99, "EV_1", "EG_1", complete, ""), rules, 0, 0},
		"it runs still":             {accepted().records("EG_1", 1), rules, 0, 1},
		"it runs, its stop granted": {accepted().records("EG_1", 1).agent(Agent{At: at(9), Did: Stopped}), rules, 1, 1},
		"nobody was told":           {ended(), rules, 1, 0},
		"it may yet be corrected":   {ended().told(6, "EV_1", "EG_1", failed, "lost: x"), rules, 1, 0},
		"its step has not worked":   {ended().told(6, "EV_1", "EG_1", complete, ""), stepRules, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			owed, running := Open(tc.logs.Logs, tc.rules)
			require.Equal(t, tc.owed, owed)
			require.Equal(t, tc.running, running)
		})
	}
}
