"""Runs the checks of the named peers, or of all."""

import sys

import checks

for name in ["pjsua", "linphone", "baresip", "sipp", "kamailio", "asterisk", "jssip", "svcrack"]:
    try:
        __import__(f"{name}_checks")
    except ModuleNotFoundError as error:
        print(f"not tried: {name} ({error})")
sys.exit(1 if checks.run(sys.argv[1:]) else 0)
