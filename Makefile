# The commands that people run, by name. None of them does more than is written here.

.PHONY: test ci demo bench mutate faults faults-safeguards release

# Every test, with the race detector.
test:
	sh test.sh

# The checks that must pass before a change lands: linters and tests.
ci:
	bash .ci/run

# A demo; ARGS='--fault zombie=0.3' changes it.
demo:
	go run ./dev demo $(ARGS)

# The figures of docs/performance.md, which take an hour and a half; BENCH='Life$$' runs one of them.
BENCH ?= .
bench:
	go run ./internal/devtemporal/build
	go test ./e2e -run '^$$' -bench '$(BENCH)' -benchtime 5x -timeout 3h

# The changes that the tests of the rules would not notice: docs/mutation.md.
mutate:
	go run ./internal/mutate -explained docs/mutation.md ./egress

# Recordings under many faults at once, judged from outside: docs/faults.md. It prints the seed;
# RESUME=DIR continues an interrupted run.
SCENARIO ?= faults/ci.yaml
faults:
	go run ./internal/devtemporal/build
	go run ./faults $(if $(RESUME),--resume $(RESUME),--scenario $(SCENARIO) $(if $(SEED),--seed $(SEED))) $(ARGS)

# Builds without one of the safeguards, each of which the fault suite must catch.
faults-safeguards:
	go run ./internal/devtemporal/build
	go test ./faults -run ABuildWithoutASafeguardIsCaught -safeguards -parallel 3 -timeout 30m -v

# The archives of a release, with identical bytes on any Linux: docs/releasing.md.
release:
	sh release.sh $(VERSION)
