#!/bin/sh
# Installs what the viewer needs from the system, where that is possible; else says what is missing. Linux only:
# on macOS and Windows the wheels bring everything.
set -eu

[ "$(uname)" = Linux ] || exit 0

# The file that must be there, and the Debian or Ubuntu package that brings it.
libraries="
libEGL.so.1 libegl1
libGL.so.1 libgl1
libGLX_mesa.so.0 libglx-mesa0
libxkbcommon-x11.so.0 libxkbcommon-x11-0
libxcb-cursor.so.0 libxcb-cursor0
libxcb-icccm.so.4 libxcb-icccm4
libxcb-keysyms.so.1 libxcb-keysyms1
libxcb-image.so.0 libxcb-image0
libxcb-render-util.so.0 libxcb-render-util0
libxcb-randr.so.0 libxcb-randr0
libxcb-shape.so.0 libxcb-shape0
libxcb-xkb.so.1 libxcb-xkb1
libdbus-1.so.3 libdbus-1-3
libfontconfig.so.1 libfontconfig1
libglib-2.0.so.0 libglib2.0-0
"

missing_libraries() {
    known=$(PATH="$PATH:/sbin:/usr/sbin" ldconfig -p)
    echo "$libraries" | while read -r file package; do
        case "$file" in "") continue ;; esac
        case "$known" in *"$file"*) ;; *) echo "$package" ;; esac
    done
}

missing_commands() {
    # A virtual screen is needed only where there is no real one.
    if [ -z "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
        command -v xvfb-run >/dev/null || echo xvfb
        command -v xauth >/dev/null || echo xauth
    fi
    python3 -c 'import ensurepip' 2>/dev/null || echo python3-venv
}

packages=$( (missing_libraries; missing_commands) | tr '\n' ' ')
[ -n "$packages" ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "These system packages (named as in Debian) are missing, install them first: $packages" >&2
    exit 1
fi
if [ "$(id -u)" = 0 ]; then
    as_root=""
elif sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    echo "These system packages are missing, and root is needed to install them. Run this, then the same make again:" >&2
    echo "    sudo apt-get install --no-install-recommends $packages" >&2
    exit 1
fi
echo "Installing system packages: $packages"
$as_root env DEBIAN_FRONTEND=noninteractive sh -c 'apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@" >/dev/null' apt $packages
