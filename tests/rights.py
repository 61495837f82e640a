"""Run the program so that modes of files hold for it, also where the tests run as root."""

from __future__ import annotations

import subprocess
import sys

_CODE = """
import ctypes, os, sys
if os.geteuid() == 0:
    for might in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        ctypes.CDLL(None).prctl(24, might)  # PR_CAPBSET_DROP: gone with the next program
os.execv(sys.executable, [sys.executable, "-m", "sakuga", *sys.argv[1:]])
"""


def without_rights(*words: str) -> tuple[int, str]:
    """Run a line of the command line, on Linux; its status, and what it said."""
    line = [sys.executable, "-c", _CODE, *words]
    run = subprocess.run(line, capture_output=True, text=True, check=False)
    return run.returncode, run.stdout + run.stderr
