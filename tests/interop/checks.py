"""Checks: sentences that are true or not. Each has a world, and a process, of its own."""

import os
import sys
import time
import traceback

from world import Process

ALL = []

# What a check may take; those that wait for tones take about 20 s.
CHECK_S_MAX = 120


def check(who):
    """Makes a function a check of that peer; its docstring is what was tried."""
    def enter(function):
        ALL.append((who, function))
        return function
    return enter


def run(only):
    """Runs those that a word names, by peer or by part of the name, and says how each went."""
    failed = 0
    for who, function in ALL:
        if only and not any(word == who or word in function.__name__ for word in only):
            continue
        begun = time.monotonic()
        well = apart(function)
        took = f"{time.monotonic() - begun:.0f} s"
        print(f"{'ok    ' if well else 'FAILED'}  {who}: {function.__doc__} ({took})", flush=True)
        failed += not well
    return failed


def apart(function):
    """Runs a check in a process of its own: a peer's library may take its process with it."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            function()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            Process.end_all()
            sys.stdout.flush()
            os._exit(code)
    end = time.monotonic() + CHECK_S_MAX
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status == 0
        time.sleep(0.1)
    os.kill(child, 9)
    os.waitpid(child, 0)
    print(f"not within {CHECK_S_MAX} s")
    return False
