#!/bin/sh
# Makes the virtual environment $1 with a Python of 3.11 or newer. PYTHON=… names one.
set -eu

new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

for python in "${PYTHON:-python3}" python3.13 python3.12 python3.11 python3.14; do
    if new_enough "$python"; then
        echo "Making $1 with $("$python" --version) ..."
        # Debian ships venv without pip unless python3-venv is there.
        "$python" -m venv "$1" || { echo "$python cannot make an environment: sudo apt-get install python3-venv" >&2; exit 1; }
        exit 0
    fi
done

echo "MedSynth needs Python 3.11 or newer, and none was found (python3 is: $(python3 --version 2>/dev/null || echo missing))." >&2
echo "Debian, Ubuntu: sudo apt-get install python3.11 python3.11-venv · macOS: brew install python@3.13" >&2
echo "Or name one: make setup PYTHON=/path/to/python3.11" >&2
exit 1
