#!/bin/sh
# Does synthetic data help? Trains the generators of 10, 20, 50 and 100 % of one of our sets, then the segmenters, and writes the
# report to runs/studies/NAME: command, name of the starter whose recipe is used, folder of all data sets, then more options.
# Generators of larger fractions go on from the smaller one; of nuclei and tumors the starter itself, which has learned from the whole
# training side, is that of 100 %. All arms are compared at 10 %, few at all fractions, since a CPU takes
# minutes for each segmenter. Run again to go on.
set -eu

msynth=$1 name=$2 data=$3 whole= some=real,classic,x1 all=real,classic,x0.5,x1,x2,x8,only
shift 3
case $name in
polyp)
    folder=polyp_polypgen/train some=real,classic,x1,x8
    set -- --generator-unlabeled "$data/$folder/images" --generator-steps 8000 --generator-more 1500 --steps 2000 \
        --generator-option guidance=1 --generator-option steps=8 "$@"
    ;;
brain-slice)
    folder=brain_brisc2025/train
    set -- --grey --generator-unlabeled "$data/$folder/images" --generator-steps 4000 --generator-more 1000 --steps 1000 \
        --generator-option guidance=1 --generator-option steps=8 "$@"
    ;;
nuclei-he)
    folder=. all=real,classic,x0.5,x1,x2,only
    whole="--model-at 100=$name"
    set -- --engine nuclei --generator-steps 4000 --generator-more 1500 --steps 600 "$@"
    ;;
lgg-flair)
    folder=brain_lgg_volumes_NC/train all=real,classic,x0.5,x1,x2,x4,only
    whole="--model-at 100=$name"
    set -- --engine tumor --generator-steps 3500 --generator-more 1000 --steps 1000 "$@"
    ;;
*)
    echo "study is $name: it must be polyp, brain-slice, nuclei-he or lgg-flair" >&2
    exit 2
    ;;
esac
out=runs/studies/$name
study() {
    "$msynth" evaluate downstream "$data/$folder" --starter "$name" -o "$out" --train-generators --segmenter ours "$@"
}

study --fractions 10 --arms "$all" "$@"
mv "$out/report.json" "$out/report-10.json"
mv "$out/report.html" "$out/report-10.html"
# shellcheck disable=SC2086  # none or two words
study --fractions 10,20,50,100 --arms "$some" $whole "$@"
