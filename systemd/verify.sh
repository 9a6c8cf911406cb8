#!/bin/bash
# Checks the units without installing them: `systemd-analyze verify` must say nothing, and the exposure that
# `systemd-analyze security` computes must be below 2.0. Prints the exposure.
set -euo pipefail
cd "$(dirname "$0")"

if ! command -v systemd-analyze >/dev/null; then
    sudo=
    [ "$(id -u)" = 0 ] || sudo=sudo
    $sudo apt-get install -y --no-install-recommends systemd >/dev/null
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/bin"
# The program and its documentation stand where the unit says; only there they are not installed yet.
printf '#!/bin/sh\n' >"$scratch/bin/empress-gateway"
chmod 0755 "$scratch/bin/empress-gateway"
sed "s|/usr/local/bin/|$scratch/bin/|" empress-gateway.service >"$scratch/empress-gateway.service"

cp empress-gateway.socket "$scratch/"
said=$(systemd-analyze verify --man=no "$scratch"/empress-gateway.{service,socket} 2>&1) || { echo "$said" >&2; exit 1; }
[ -z "$said" ] || { echo "$said" >&2; exit 1; }
systemd-sysusers --dry-run "$PWD/empress-gateway.sysusers" >/dev/null 2>&1

systemd-analyze security --offline=true --no-pager --threshold=20 "$scratch/empress-gateway.service" | tail -1
