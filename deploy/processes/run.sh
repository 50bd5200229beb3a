#!/usr/bin/env bash
# Three combiners on one weights log, the NATS server that keeps it, and two model servers, as processes on this machine.
# Ctrl-C ends them all. Every line can be run by hand, in this order or any other.
set -euo pipefail
cd "$(dirname "$0")"

counterweight=${COUNTERWEIGHT:-counterweight}   # the program
nats_server=${NATS_SERVER:-nats-server}         # 2.15 or newer
models=${MODELS:-../../models/sample}           # a folder with the models engagement and engagement_bait

trap 'trap - EXIT; kill $(jobs -p) 2>/dev/null || true; wait' EXIT
trap 'exit 0' INT TERM

"$nats_server" -c nats.conf &

"$counterweight" serve-model --repository "$models" --model engagement      --listen 127.0.0.1:7001 &
"$counterweight" serve-model --repository "$models" --model engagement_bait --listen 127.0.0.1:7002 &

mkdir -p var/a var/b var/c
for replica in a b c; do cp combiner.toml "var/$replica/"; done
"$counterweight" serve-combiner --config var/a/combiner.toml --replica a --listen 127.0.0.1:7010 --metrics-listen 127.0.0.1:9110 &
"$counterweight" serve-combiner --config var/b/combiner.toml --replica b --listen 127.0.0.1:7020 --metrics-listen 127.0.0.1:9120 &
"$counterweight" serve-combiner --config var/c/combiner.toml --replica c --listen 127.0.0.1:7030 --metrics-listen 127.0.0.1:9130 &

wait
