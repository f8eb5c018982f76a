#!/usr/bin/env bash
# The shipped model from the data alone: about two hours on two cores. Stopped, it goes on where it was.
#
#   scripts/default_model.sh            # labels, a rough model, labels again, the model, its nights, its report
#
# It needs ../shared/data and ../shared/peers/yamnet; what lies between is kept in data/default.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export OMP_NUM_THREADS=1
python=${PYTHON:-.venv/bin/python}
corpus=../shared/data
yamnet=../shared/peers/yamnet/yamnet.tflite
# Where each baby, speaker and recording stands, once and for all: better labels must not move anybody to another side.
sides=trainer/labelling/sides.csv
kept=data/default
mkdir -p "$kept"

label() { # OUTPUT, then options
    [ -f "$1" ] || "$python" -m trainer label --data "$corpus" --yamnet "$yamnet" --cache "$kept/scores" --output "$@"
}

learn() { # SEGMENTS OUTPUT, then options
    local resume=()
    [ -f "${2%.onnx}.checkpoint" ] && resume=(--resume)
    [ -f "$2" ] || "$python" -m trainer train --data "$corpus" --segments "$1" --sides "$sides" --family cnn_tiny \
        --batch 64 --reuse 4 --licence "CC BY-NC-SA 4.0" --output "$2" "${resume[@]}" "${@:3}"
}

noisy=(--teacher "$yamnet" --augment night,warp=0.6 --noise 0.3)
# Networks that err differently hear better together than any of them. One learns much: with steady noise over it, then at
# a lower rate with all other sound over it. Two learn little, from cries as they came: one from the labels alone, one from
# the teacher's word as well.
much() {
    learn trainer/labelling/segments.csv "$kept/begun.onnx" "${noisy[@]}" --epochs 40 --epoch-windows 16384 --seed 1
    learn trainer/labelling/segments.csv "$kept/much.onnx" --from "$kept/begun.checkpoint" --teacher "$yamnet" \
        --augment night,warp=0.4 --mixup 0 --overlay 0.4 --noise 0.15 --learning-rate 0.002 \
        --epochs 16 --epoch-windows 16384 --seed 31
}
short=(--augment night,codec=0,warp=0.3 --epochs 6 --epoch-windows 16384)
little() {
    learn trainer/labelling/segments.csv "$kept/little.onnx" "${short[@]}" --seed 7
    learn trainer/labelling/segments.csv "$kept/pupil.onnx" "${short[@]}" --teacher "$yamnet" --seed 10
}

label "$kept/first.csv"
learn "$kept/first.csv" "$kept/rough.onnx" "${noisy[@]}" --epochs 8 --epoch-windows 12288
label "$kept/segments.csv" --student "$kept/rough.onnx" --sides "$sides"
cp "$kept/segments.csv" trainer/labelling/segments.csv
little &
much
wait $!
# The other two are asked only where the first suspects crying: elsewhere the mean of three cannot reach 0.7 anyway.
"$python" -m trainer combine "$kept/much.onnx" "$kept/little.onnx" "$kept/pupil.onnx" --suspect 0.1 --bits 16 \
    --output "$kept/default.onnx" --name Default
# When to wake is decided on babies and beds of the validation side, two hours of each (one composition is too little to
# choose by); what the app's slider says is of the test side.
nights() { # SIDE, then options
    "$python" -m trainer nights --model "$kept/default.onnx" --data "$corpus" --segments trainer/labelling/segments.csv \
        --sides "$sides" --hours 1 --split "$1" --report "$kept/nights-$1" "${@:2}"
}
nights validation --hours 2 --set-thresholds
nights test --tell-model
cp "$kept/default.onnx" models/default.onnx
# What it rehearses while it is taught at home; it belongs to this very file.
"$python" -m trainer rehearsal --model models/default.onnx --data "$corpus" --segments trainer/labelling/segments.csv --sides "$sides"
"$python" -m benchmarks.hearing --output "$kept/hearing"
cp "$kept/hearing"/default-model.{html,json} docs/reports/
"$python" -m benchmarks.personalisation --output docs/reports
