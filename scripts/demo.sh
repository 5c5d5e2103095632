#!/usr/bin/env bash
# From a bare clone to a reconstructed, rendered and exported scene, on a machine with nothing but Python 3.10-3.12.
# Reconstructs the photos that come with the package; with --procedural a scene that is made on the spot.
set -euo pipefail
cd "$(dirname "$0")/.."

case "${1:-}" in
    "") scene=banana capture=tokengs_nerfstudio/samples/banana ;;
    --procedural) scene=procedural capture=demo_output/procedural/capture ;;
    *) echo "usage: scripts/demo.sh [--procedural]" >&2; exit 2 ;;
esac
source scripts/environment.sh

# torch would wake a pool of compiler processes with every command; none of them has anything to do.
export TORCHINDUCTOR_COMPILE_THREADS=1

out=demo_output/$scene
run=$out/runs/demo/tokengs/run
config=$run/config.yml

# Finished steps are not run again unless the code, the weights or the photos behind them changed.
state=$(find tokengs_nerfstudio scripts -type f ! -name '*.pyc' | sort | xargs cat | sha256sum)
[ "$(cat $out/state 2>/dev/null)" = "$state" ] || rm -rf $out
mkdir -p $out
echo "$state" >$out/state

steps=6 number=0
[ $scene = banana ] || steps=7

step() { # step NAME TEXT PRODUCT COMMAND...: runs the command unless its product is there
    local name=$1 title product=$3
    number=$((number + 1))
    title="[$number/$steps] $2"
    shift 3
    if [ -e "$out/$name.done" ] && [ -e "$product" ]; then
        echo "$title: done before"
        return
    fi
    timed "$title" "$out/$name.log" "$@"
    [ -e "$product" ] || fail "The step '$name' ended without writing $product; see $out/$name.log."
    touch "$out/$name.done"
}

[ $scene = banana ] ||
    step capture "making a scene and photographing it" $capture/transforms.json \
        tokengs-capture procedural $capture
step train "reconstructing the scene from the photos in $capture" $config \
    ns-train tokengs --data $capture --output-dir $out/runs --experiment-name demo --timestamp run \
    --viewer.quit-on-train-completion True
sed -n -E 's/.* ([0-9,]+ (Gaussians from|tuning steps)[^;]*);.*/      \1/p' $out/train.log
step eval "comparing with the photos that were held out" $out/eval.json \
    ns-eval --load-config $config --output-path $out/eval.json
step views "rendering the views of those photos" $out/views/test/rgb \
    ns-render dataset --load-config $config --output-path $out/views --split test --rendered-output-names rgb gt-rgb
step contact_sheet "putting photos and renders side by side" $out/contact_sheet.png \
    python scripts/contact_sheet.py --capture $capture --run $run --renders $out/views/test --output $out/contact_sheet.png
film() {
    python scripts/orbit.py --capture $capture --run $run --output $out/orbit.json &&
        ns-render camera-path --load-config $config --camera-path-filename $out/orbit.json --output-path $out/video.mp4
}
step video "filming the scene" $out/video.mp4 film
step export "exporting the Gaussians" $out/splat/splat.ply \
    ns-export gaussian-splat --load-config $config --output-dir $out/splat

python - $out/eval.json <<'END'
import json
import sys

results = json.load(open(sys.argv[1]))["results"]
print(f"held-out views: PSNR {results['psnr']:.2f} dB, SSIM {results['ssim']:.3f}")
END
echo "contact sheet  $PWD/$out/contact_sheet.png   (context | ground truth | rendered)"
echo "video          $PWD/$out/video.mp4"
echo "splats         $PWD/$out/splat/splat.ply"
echo "look around    source .venv/bin/activate && ns-viewer --load-config $config"
