#!/usr/bin/env bash
# Makes sure that a Chromium is there for the page tests; installs Debian's when root.
set -euo pipefail
for name in chromium chromium-browser google-chrome; do
    command -v "$name" >/dev/null && exit 0
done
command -v apt-get >/dev/null && [ "$(id -u)" = 0 ] || { echo "no Chromium, and no right to install one"; exit 1; }
echo "Installing Chromium for the page tests"
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null
