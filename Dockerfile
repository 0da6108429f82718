# syntax=docker/dockerfile:1
# One image with both commands: `worker`, and `starter serve`.

# It compiles for another platform by itself; nothing is emulated.
FROM --platform=$BUILDPLATFORM golang:1.26.8-alpine AS build
WORKDIR /src
ENV GOMODCACHE=/cache/modules GOCACHE=/cache/build
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/cache/modules go mod download
COPY . .
# What --version says: docs/releasing.md.
ARG VERSION= COMMIT= TARGETOS TARGETARCH
RUN --mount=type=cache,target=/cache/modules --mount=type=cache,target=/cache/build \
    export CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH && sh notices.sh >/THIRD_PARTY_NOTICES && \
    go build -trimpath -buildvcs=false -ldflags="-s -w -X github.com/reelkeeper/reelkeeper/app.release=$VERSION -X github.com/reelkeeper/reelkeeper/app.commit=$COMMIT" -o /out/ ./worker ./starter

FROM alpine:3.24.1
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/ /usr/local/bin/
COPY --from=build /src/LICENSE /THIRD_PARTY_NOTICES /usr/share/licenses/reelkeeper/
USER 10001:10001
EXPOSE 7980 7981
CMD ["worker"]
