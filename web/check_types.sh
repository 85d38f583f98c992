#!/usr/bin/env bash
# Types of the page's scripts, which esbuild does not look at.
set -euo pipefail
command -v tsc >/dev/null || { echo "SKIP: tsc: not installed (Debian package node-typescript)"; exit 77; }
exec tsc -p "$(dirname "$0")"
