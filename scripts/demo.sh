#!/bin/sh
# Opens the demo with the msynth command $1; without a screen it drives the same viewer on a virtual one and saves demo.png.
set -eu

if [ "$(uname)" != Linux ] || [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
    exec "$1" demo
fi
sh "$(dirname "$0")/with_display.sh" "$1" demo --save demo.png
