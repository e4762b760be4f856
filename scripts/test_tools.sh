#!/usr/bin/env bash
# What the tests use beside Python: tmux and a Chromium. Root on Debian gets what is missing installed.
set -euo pipefail
missing=()
command -v tmux >/dev/null || missing+=(tmux)
command -v chromium >/dev/null || missing+=(chromium)
[ "${#missing[@]}" = 0 ] && exit 0
if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
    echo "${missing[*]} not found, and no right to install: the tests that need them will be skipped."
    exit 0
fi
echo "Installing ${missing[*]} for the tests"
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
