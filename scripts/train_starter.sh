#!/bin/sh
# Trains one model that ships, and what its badge is measured with, in runs/: command, starter name, training folder, then options of the teacher's training.
set -eu

msynth=$1 name=$2 data=$3
shift 3
"$msynth" train synthesize "$data" -o "runs/teacher/$name" --starter "$name" "$@"
"$msynth" train synthesize "$data" -o "runs/$name" --starter "$name" --preset flow-map --base "runs/teacher/$name"
"$msynth" evaluate badge "$data" --model "runs/$name" -o "runs/judges/$name" --starter "$name"
