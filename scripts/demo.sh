#!/usr/bin/env bash
# From a bare clone to a reconstructed, rendered and exported scene, on a machine with nothing but Python 3.10-3.12.
set -euo pipefail
source "$(dirname "$0")/environment.sh"

# torch would wake a pool of compiler processes with every command; none of them has anything to do.
export TORCHINDUCTOR_COMPILE_THREADS=1

out=demo_output
capture=$out/capture
run=$out/runs/capture/tokengs/demo
config=$run/config.yml

# Finished steps are not run again unless the code or the weights behind them changed.
state=$(find tokengs_nerfstudio scripts -name '*.py' -o -name '*.safetensors' -o -name demo.sh | sort | xargs cat | sha256sum)
[ "$(cat $out/state 2>/dev/null)" = "$state" ] || rm -rf $out
mkdir -p $out
echo "$state" >$out/state

step() { # step NAME PRODUCT COMMAND...: runs the command unless its product is there; shows its messages if it fails
    local name=$1 product=$2 begin=$SECONDS
    shift 2
    if [ -e "$out/$name.done" ] && [ -e "$product" ]; then
        echo "$name: done before ($product)"
        return
    fi
    echo "$name ..."
    if ! "$@" >"$out/$name.log" 2>&1; then
        cat "$out/$name.log" >&2
        fail "The step '$name' failed; its messages are above and in $out/$name.log."
    fi
    [ -e "$product" ] || fail "The step '$name' ended without writing $product; see $out/$name.log."
    touch "$out/$name.done"
    echo "$name: $((SECONDS - begin)) s"
}

step capture $capture/transforms.json python scripts/make_capture.py --output $capture
step train $config ns-train tokengs --data $capture --output-dir $out/runs --timestamp demo \
    --viewer.quit-on-train-completion True
step eval $out/eval.json ns-eval --load-config $config --output-path $out/eval.json
step views $out/views/test/rgb ns-render dataset --load-config $config --output-path $out/views --split test \
    --rendered-output-names rgb gt-rgb
step video $out/video.mp4 ns-render interpolate --load-config $config --output-path $out/video.mp4 --pose-source eval \
    --interpolation-steps 20
step export $out/splat/splat.ply ns-export gaussian-splat --load-config $config --output-dir $out/splat
step contact_sheet $out/contact_sheet.png python scripts/contact_sheet.py --capture $capture --run $run \
    --renders $out/views/test --output $out/contact_sheet.png

python - <<'END'
import json

results = json.load(open("demo_output/eval.json"))["results"]
print(f"held-out views: PSNR {results['psnr']:.2f} dB, SSIM {results['ssim']:.3f}")
END
echo "contact sheet  $PWD/$out/contact_sheet.png   (context | ground truth | rendered)"
echo "video          $PWD/$out/video.mp4"
echo "splats         $PWD/$out/splat/splat.ply"
echo "look around    source .venv/bin/activate && ns-viewer --load-config $config"
