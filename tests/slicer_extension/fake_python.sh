#!/bin/sh
# A Python interpreter that only pretends, for tests of how an environment is made. $FAKE_PYTHON is a folder: `version`, `venv` (ok
# or not), `install` (what pip does: ok, no-network, disk-full, broken, killed, slow, deaf, fills, hogs, or real: that of
# $REAL_PYTHON looks at $INDEX), `imports` (ok, hangs, or the name that is missing).
case "$*" in
*version_info*) echo "medsynth $(cat "$FAKE_PYTHON/version")" ;;
*ensurepip*)
    [ "$(cat "$FAKE_PYTHON/venv")" = ok ] || { echo "ModuleNotFoundError: No module named 'ensurepip'"; exit 1; }
    echo "medsynth can make"
    ;;
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
    broken-after-a-retry)
        echo "WARNING: Retrying (Retry(total=4)) after connection broken by 'ReadTimeoutError'"
        echo "Collecting torch"
        echo "ERROR: Failed building wheel for torch"
        exit 1
        ;;
    broken)
        echo "ERROR: Failed building wheel for torch"
        exit 1
        ;;
    killed) kill -KILL $$ ;;
    fills) exec cat /dev/zero > "$(dirname "$0")/library" ;;
    hogs) cat /dev/zero > "$FAKE_PYTHON/hog" || true ;;
    real)
        exec "$REAL_PYTHON" -m pip --disable-pip-version-check --no-input download --no-deps --no-cache-dir --retries 1 \
            --dest "$FAKE_PYTHON" --index-url "$INDEX" torch
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
    if [ "$(cat "$FAKE_PYTHON/imports")" = hangs ]; then
        echo $$ > "$FAKE_PYTHON/pip.pid"
        exec sleep 60
    elif [ "$(cat "$FAKE_PYTHON/imports")" = ok ]; then
        echo "medsynth imports all"
    else
        echo "ModuleNotFoundError: No module named '$(cat "$FAKE_PYTHON/imports")'"
        exit 1
    fi
    ;;
esac
