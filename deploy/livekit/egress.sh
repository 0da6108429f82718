#!/bin/sh
# Starts LiveKit's egress service with the secret of its file.
set -eu

LIVEKIT_API_SECRET=$(cat "${SECRET_FILE:-/run/secrets/livekit_api_secret}")
export LIVEKIT_API_SECRET
mkdir -p "${XDG_RUNTIME_DIR:-/home/egress/.cache/xdgr}" # the home folder is new each time
exec "${SERVER:-/entrypoint.sh}"
