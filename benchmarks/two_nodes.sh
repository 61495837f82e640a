#!/usr/bin/env bash
# Two network namespaces as two machines: trains across them, exports the style, paints with it
# across them. Each has its own network and its own name; they share the disk, as a cluster would.
#
#     sudo benchmarks/two_nodes.sh [PICTURES]
#
# Needs Linux, root, iproute2, and sakuga[train,batch] in the Python that comes first in PATH.
set -euo pipefail

pictures=${1:-200}
work=$(mktemp -d)
cd "$work"
export OMP_NUM_THREADS=1 RAY_USAGE_STATS_ENABLED=0 RAY_BACKEND_LOG_LEVEL=fatal
export GLOO_SOCKET_IFNAME=net0
# Ray runs the code of whoever reaches it: only those who know the token may.
RAY_AUTH_TOKEN=$(python -c "import secrets; print(secrets.token_hex(32))")
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN

clean() {
    for node in node1 node2; do
        ip netns pids "$node" 2>/dev/null | xargs -r kill -9 || true
        ip netns delete "$node" 2>/dev/null || true
    done
    rm -rf "$work"
    # Where `ray start` notes the cluster for `ray.init("auto")` on this machine.
    if grep -qs 10.77.0.1 /tmp/ray/ray_current_cluster; then rm -f /tmp/ray/ray_current_cluster; fi
}
trap clean EXIT

# on node1 COMMAND...: runs it on a machine.
on() { ip netns exec "$1" unshare --uts sh -c "hostname $1 && exec \"\$@\"" - "${@:2}"; }

for node in node1 node2; do
    ip netns add "$node"
    ip -n "$node" link set lo up
done
ip -n node1 link add net0 type veth peer name net0 netns node2
ip -n node1 address add 10.77.0.1/24 dev net0
ip -n node2 address add 10.77.0.2/24 dev net0
for node in node1 node2; do ip -n "$node" link set net0 up; done
on node2 python -c "import platform, socket; socket.create_server(('10.77.0.2', 9)).close(); print('node:', platform.node())"

python - "$pictures" <<'PYTHON'
import sys
from pathlib import Path
import numpy as np
from PIL import Image

dice = np.random.default_rng(0)
for folder, count in (("photos", int(sys.argv[1])), ("anime", 16)):
    Path(folder).mkdir()
    for number in range(count):
        picture = dice.integers(90, 160, (128, 144, 3))
        for _ in range(6):
            top, left = dice.integers(0, 100, 2)
            picture[top : top + 40, left : left + 40] = dice.integers(0, 256, 3)
        Image.fromarray(picture.astype(np.uint8)).save(f"{folder}/{number:05}.png")
PYTHON
cat > two.toml <<'TOML'
# Without VGG19, so that nothing is downloaded.
name = "two-nodes"
photos = ["photos"]
anime = ["anime"]
texture_weight = 1.0
flat_weight = 4.0
crop = 64
photo_sides = [96, 128]
anime_sides = [96, 128]
batch = 4
width = 8
blocks = 1
steps = 20
init_steps = 5
log_every = 10
guard_every = 1000
precision = "32-true"
TOML

echo "== training: torchrun on two machines, one gloo rank on each"
for rank in 1 0; do
    command=(python -m torch.distributed.run --nnodes=2 --node-rank="$rank" --nproc-per-node=1
        --master-addr=10.77.0.1 --master-port=29500
        -m -- sakuga train two.toml --run run --accelerator cpu)  # "--": torchrun has a --run-path
    if [ "$rank" = 1 ]; then
        on node2 "${command[@]}" > node2.log 2>&1 &
        second=$!
    else
        on node1 "${command[@]}" 2> node1.log || { cat node1.log node2.log; exit 1; }
    fi
done
wait "$second" || { cat node2.log; exit 1; }
python - <<'PYTHON'
import json
from sakuga.train.checkpoint import load_checkpoint

print("hardware:", load_checkpoint("run")[1]["hardware"])
for line in open("run/log.jsonl"):
    line = json.loads(line)
    print("step", line["step"], "flat", line["flat"], "crops/s", line["crops_per_s"])
PYTHON
sakuga export run two-nodes.onnx

echo "== painting: a Ray cluster of two machines, one core on each"
common=(--num-cpus=1 --object-store-memory=200000000 --disable-usage-stats)
on node1 ray start --head --node-ip-address=10.77.0.1 --port=6379 --include-dashboard=false \
    "${common[@]}" > ray1.log 2>&1 || { cat ray1.log; exit 1; }
on node2 ray start --address=10.77.0.1:6379 --node-ip-address=10.77.0.2 \
    "${common[@]}" > ray2.log 2>&1 || { cat ray2.log; exit 1; }
on node1 sakuga batch photos painted --style ./two-nodes.onnx --address 10.77.0.1:6379
python - <<'PYTHON'
import pyarrow.parquet as pq

table = pq.read_table("painted/manifest")
for counted in table.group_by(["machine", "status"]).aggregate([("key", "count")]).to_pylist():
    print(counted["machine"], counted["status"], counted["key_count"])
PYTHON
echo "== an address at which nothing answers"
on node2 sakuga batch photos painted --style ./two-nodes.onnx --address 10.77.0.1:6380 || true
