#!/usr/bin/env bash
# What the tests use beside Python: tmux, a Chromium and a Slurm. Root on Debian gets what is missing installed.
set -euo pipefail
missing=()
command -v tmux >/dev/null || missing+=(tmux)
command -v chromium >/dev/null || missing+=(chromium)
PATH=$PATH:/usr/sbin # where daemons are
command -v slurmctld >/dev/null && command -v munged >/dev/null || missing+=(slurm-wlm munge)
[ "${#missing[@]}" = 0 ] && exit 0
if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
    echo "${missing[*]} not found, and no right to install: the tests that need them will be skipped."
    exit 0
fi
echo "Installing ${missing[*]} for the tests"
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
