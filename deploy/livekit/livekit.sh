#!/bin/sh
# Starts LiveKit's server with the key of .env and the secret of its file, and with the
# starter as the project's webhook.
set -eu

config=${CONFIG:-/etc/livekit/livekit.yaml}
secret=$(cat "${SECRET_FILE:-/run/secrets/livekit_api_secret}")
if [ -z "${LIVEKIT_API_KEY:-}" ] || [ -z "$secret" ]; then
	echo "set LIVEKIT_API_KEY in .env, and put a secret of 32 characters or more into secrets/livekit_api_secret" >&2
	exit 2
fi

LIVEKIT_KEYS="$LIVEKIT_API_KEY: $secret"
LIVEKIT_CONFIG="$(cat "$config")
webhook:
  api_key: $LIVEKIT_API_KEY
  urls: [http://starter:7980/webhooks/livekit]
"
export LIVEKIT_KEYS LIVEKIT_CONFIG
exec "${SERVER:-/livekit-server}"
