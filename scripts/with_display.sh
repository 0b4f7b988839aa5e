#!/bin/sh
# Runs a command; on Linux without a screen, on a virtual one. Qt's "offscreen" has no OpenGL, which the canvas needs.
set -eu

if [ "$(uname)" != Linux ] || [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
    exec "$@"
fi
QT_QPA_PLATFORM=xcb exec xvfb-run -a -s "-screen 0 1600x1200x24" "$@"
