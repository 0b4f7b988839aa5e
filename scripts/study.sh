#!/bin/sh
# Does synthetic data help? Trains the generators of 10, 20, 50 and 100 % of one of our sets, then the segmenters, and writes the
# report to runs/studies/NAME: command, name of the starter whose recipe is used, folder of all data sets, then more options.
# Generators of larger fractions go on from the smaller one. Run again to go on.
set -eu

msynth=$1 name=$2 data=$3
shift 3
case $name in
polyp)
    folder=polyp_polypgen/train
    set -- --generator-unlabeled "$data/$folder/images" --generator-steps 8000 --generator-more 1500 --steps 2000 \
        --generator-option guidance=1 --generator-option steps=8 "$@"
    ;;
brain-slice)
    folder=brain_brisc2025/train
    set -- --grey --generator-unlabeled "$data/$folder/images" --generator-steps 4000 --generator-more 1000 --steps 1000 \
        --generator-option guidance=1 --generator-option steps=8 "$@"
    ;;
nuclei-he)
    folder=.
    set -- --engine nuclei --generator-steps 4000 --generator-more 1500 --steps 600 "$@"
    ;;
lgg-flair)
    folder=brain_lgg_volumes_NC/train
    set -- --engine tumor --generator-steps 3500 --generator-more 1000 --steps 1000 "$@"
    ;;
*)
    echo "study is $name: it must be polyp, brain-slice, nuclei-he or lgg-flair" >&2
    exit 2
    ;;
esac
"$msynth" evaluate downstream "$data/$folder" --starter "$name" -o "runs/studies/$name" --train-generators --segmenter ours "$@"
