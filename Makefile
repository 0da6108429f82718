# The commands that people run, by name. None of them does more than what stands here.

.PHONY: test ci demo bench mutate release

# Every test, with the race detector.
test:
	sh test.sh

# What must pass before a change lands: linters and tests.
ci:
	bash .ci/run

# A demo; ARGS='--fault zombie=0.3' changes it.
demo:
	go run ./dev demo $(ARGS)

# The figures of docs/performance.md, in some 65 minutes; BENCH=Life$$ runs one of them.
BENCH ?= .
bench:
	go run ./internal/devtemporal/build
	go test ./e2e -run '^$$' -bench '$(BENCH)' -benchtime 5x -timeout 60m

# What the tests of the rules would not notice: docs/mutation.md.
mutate:
	go run ./internal/mutate -explained docs/mutation.md ./egress

# The archives of a release, the same bytes wherever it runs: docs/releasing.md.
release:
	sh release.sh $(VERSION)
