#!/bin/bash
# Ray's head and the service beside it, in one container: a driver needs a Ray on its own machine.
# Ends when either ends, so that the container is started again; the service first, to give its jobs back.
set -euo pipefail
ray_head="ray start --head --block --port=6379 --include-dashboard=false --disable-usage-stats"
${KUBERAY_GEN_RAY_START_CMD:-$ray_head ${RAY_CPUS:+--num-cpus=$RAY_CPUS}} &
head=$!
layerpress serve --host 0.0.0.0 --port 8400 --ray 127.0.0.1:6379 --root /models "$@" &
service=$!
trap 'kill -TERM "$service"' TERM INT
status=0
wait -n || status=$?
kill -TERM "$service" 2>/dev/null || true
wait "$service" || true
kill -TERM "$head" 2>/dev/null || true
wait "$head" || true
exit "$status"
