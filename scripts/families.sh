#!/usr/bin/env bash
# Every family on real data: what docs/reports/families/ was made with. Hours on two cores; stopped, it goes on where it was.
#
#   scripts/families.sh import              # RAVDESS and Emo-DB from ../shared/data into data/
#   scripts/families.sh ravdess | emodb | monitor | folds        # one comparison each; several may run at once
#   scripts/families.sh report              # the page of all that are there
#
# Each family sees the same number of windows, so that an hour's difference in patience is not taken for one in hearing.
# HuBERT and wav2vec 2.0 are small configurations from random weights; `yamnet` is the published
# body, frozen, `yamnet_tuned` its first layers, tuned.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export OMP_NUM_THREADS=1
python=${PYTHON:-.venv/bin/python}
weights=(--weights hubert=random --weights wav2vec2=random --weights yamnet=../shared/peers/yamnet/yamnet.tflite
    --weights yamnet_tuned=../shared/peers/yamnet/yamnet.tflite)

compare() { # NAME, then options
    "$python" -m trainer compare --report "data/reports/$1" --work "data/work-$1" "${weights[@]}" "${@:2}"
}

case ${1:-} in
import)
    "$python" -m trainer import ravdess ../shared/data/ravdess data/ravdess
    "$python" -m trainer import emodb ../shared/data/emodb data/emodb
    ;;
ravdess)
    compare ravdess --data data/ravdess --sides docs/reports/ravdess-sides.csv \
        --title "RAVDESS, actors 17 and 18" --epochs 8 --epoch-windows 3360 --reuse 2 --batch 32 --average 0.99
    ;;
emodb)
    compare emodb --data data/emodb --folds 4 \
        --title "Emo-DB, four folds over speakers" --epochs 3 --epoch-windows 512 --reuse 1 --batch 16 --average 0.99
    ;;
monitor)
    compare monitor --data ../shared/data --segments trainer/labelling/segments.csv \
        --merge hungry=sad --merge pain=sad --merge tired=sad \
        --title "Crying, laughing, babbling, other" \
        --epochs 2 --epoch-windows 3072 --reuse 1 --batch 32 --average 0.99
    ;;
folds)
    # Speed and pitch make new voices out of those in the data. One network varies by a few points from seed to seed: the
    # published page has three of different seeds for each fold, answering together.
    compare folds --data data/ravdess --folds 6 --beside-random-split \
        --families resnet_mel,lstm_mel,resnet_mel+lstm_mel \
        --augment speech,speed=0.6,pitch=0.25 \
        --title "RAVDESS, six folds over actors" --epochs 8 --epoch-windows 3360 --reuse 2 --batch 32 --average 0.995
    ;;
long)
    # Four times as many windows: what patience is worth, and what a random split makes of it.
    compare long --data data/ravdess --folds 6 --beside-random-split --families resnet_mel \
        --augment speech,speed=0.6,pitch=0.25 \
        --title "RAVDESS, six folds over actors, 100,800 windows" \
        --epochs 30 --epoch-windows 3360 --reuse 2 --batch 32 --average 0.995
    ;;
report)
    "$python" -m trainer report data/reports/*/report.json --output docs/reports/families --title "Every family on real data"
    ;;
*)
    sed -n '2,10s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    exit 2
    ;;
esac
