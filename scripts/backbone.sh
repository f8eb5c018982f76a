#!/usr/bin/env bash
# Train the backbone from ../shared alone, without the corpora by which it is judged; the same command resumes.
# Ten cycles of 3,000 steps, each about twenty minutes of a free core. Figures while it learns: FOLDER/log.jsonl.
#
#     scripts/backbone.sh FOLDER          for the checkpoint, the weights of each cycle, the log and the cache
set -euo pipefail
folder=$(realpath -m "${1:?usage: scripts/backbone.sh FOLDER}")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
left_out=(
    'esc10/baby_cry/*' 'third/rynnchrs/*' 'third/troywang/*' 'third/*/baby_cry/*' 'third/*/baby_fuss/*'
    # Animals, children and rooms of their own beside those cries.
    third/{sector3,soundscapes,confcall,nick3190,dongsig,footballcoop,rc3poc,scottpham,hungrykittens,goodcat,kittymission}/'*'
    third/{tappadoo,zwierzaki,childcomm}/'*'
)
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
exec python3 run.py trainer backbone --data ../shared/data --weights ../shared/peers/yamnet/yamnet.tflite \
    --output "$folder" --cache "$folder/cache" --bfloat16 --leave-out "${left_out[@]}"
