#!/usr/bin/env bash
# The shipped model from ../shared alone: about three hours of two cores. Stopped, it goes on where it was.
#
#     scripts/default_model.sh [FOLDER]        for checkpoints, decoded sound and reports (default: data/default)
#
# Two students of YAMNet from different beginnings, the mean of their weights with the published ones, what that hears in
# nights and clips, evidence over time, the file, its judgement by what was left out, its rehearsal.
set -euo pipefail
folder=$(realpath -m "${1:-data/default}")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
data=../shared/data
yamnet=../shared/peers/yamnet/yamnet.tflite
segments=trainer/labelling/segments.csv
left_out=(
    # The cries that judge.
    'esc10/baby_cry/*' 'third/rynnchrs/*' 'third/troywang/*' 'third/*/baby_cry/*' 'third/*/baby_fuss/*'
    # Animals, children, talking and rooms of their own beside those cries.
    third/{sector3,soundscapes,confcall,nick3190,dongsig,footballcoop,rc3poc,scottpham,hungrykittens,goodcat,kittymission}/'*'
    third/{tappadoo,zwierzaki,childcomm,babysim,ikids}/'*'
    # Licences that would bind the file: RAVDESS, the rest of ESC-50, and single clips.
    'licence:*-NC*' 'licence:*BY-SA*'
)
mkdir -p "$folder"

trainer() { python3 run.py trainer "$@"; }

student() { # SEED
    trainer backbone --data "$data" --weights "$yamnet" --output "$folder/student-$1" --cache "$folder/cache" --bfloat16 \
        --cycles 1 --seed "$1" --segments "$segments" --leave-out "${left_out[@]}"
}

# The first decodes the sound and asks the teacher; the second finds both done, or waits for them.
student 1 &
student 2
wait $!
trainer ear --backbone "$folder"/student-{1,2}/backbone-cycle-1.pt --weights "$yamnet" --published-share 0.25 --data "$data" \
    --segments "$segments" --leave-out "${left_out[@]}" --cache "$folder/cache" --licence "CC BY 4.0" \
    --output "$folder/default.onnx"
# Judged beside YAMNet; the start threshold, the slider's words and the card's figures are of these nights.
trainer left-out --model "$folder/default.onnx" --set-start --tell-model --yamnet "$yamnet" --hours 2 --data "$data" \
    --leave-out "${left_out[@]}" --cache "$folder/cache" --report docs/reports
cp "$folder/default.onnx" models/default.onnx
# What it rehearses while it is taught at home; it belongs to this very file.
trainer rehearsal --model models/default.onnx --data "$data" --segments "$segments" --leave-out "${left_out[@]}" \
    --cache "$folder/cache"
