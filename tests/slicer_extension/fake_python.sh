#!/bin/sh
# A Python interpreter that only pretends, for tests of how an environment is made. $FAKE_PYTHON is a folder: `version`, and
# `install` (what pip does: ok, no-network, disk-full, broken, slow), `imports` (ok or the name that is missing).
case "$*" in
*version_info*) echo "medsynth $(cat "$FAKE_PYTHON/version")" ;;
"-m venv "*)
    mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && echo made > "$3/pyvenv.cfg"
    ;;
*" pip "*install*)
    echo "$@" >> "$FAKE_PYTHON/installed"
    env > "$FAKE_PYTHON/environ"
    echo "Collecting torch"
    case "$(cat "$FAKE_PYTHON/install")" in
    ok) echo "Successfully installed torch" ;;
    no-network)
        echo "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError': Failed to establish a new connection"
        echo "ERROR: No matching distribution found for torch"
        exit 1
        ;;
    disk-full)
        echo "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"
        exit 1
        ;;
    broken)
        echo "ERROR: Failed building wheel for torch"
        exit 1
        ;;
    slow)
        echo $$ > "$FAKE_PYTHON/pip.pid"
        sleep 60
        ;;
    deaf)
        trap '' TERM
        echo $$ > "$FAKE_PYTHON/pip.pid"
        while :; do sleep 1; done
        ;;
    esac
    ;;
*import_module*)
    if [ "$(cat "$FAKE_PYTHON/imports")" = ok ]; then
        echo "medsynth imports all"
    else
        echo "ModuleNotFoundError: No module named '$(cat "$FAKE_PYTHON/imports")'"
        exit 1
    fi
    ;;
esac
