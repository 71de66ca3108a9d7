"""svcrack of SIPVicious 0.3.3: guesses passwords from a list. It knows MD5 only, and takes the first challenge for the only one."""

import subprocess
import time

from checks import check
from world import Server, folder, free_port

WRONG = 300
# Timers of transactions are over after 32 s; then a look at memory says what stays.
REST_S = 35


def cracks(server, words):
    """Whether it finds alice's password in this list."""
    at = folder()
    (at / "words").write_text("\n".join(words) + "\n")
    done = subprocess.run(
        ["svcrack", "-b", "127.0.0.1", "-P", str(free_port()), "-u", "alice", "-d", at / "words",
         "-t", "0.01", "--maximumtime", "10", f"udp://127.0.0.1:{server.port}"],
        cwd=at, env={"HOME": str(at), "PATH": "/usr/bin:/bin"}, capture_output=True, text=True,
        timeout=90)
    said = done.stdout + done.stderr
    print(said[-2000:])
    return "wonder" in said


@check("svcrack")
def svcrack_finds_a_password_that_it_tries_first():
    """finds a password that is the second of its list, as it does where it can (so that the next counts)"""
    assert cracks(Server([("alice", "")], md5_only=True), ["wrong", "wonder"])


@check("svcrack")
def svcrack_finds_nothing():
    """does not find the password behind 300 wrong ones: after the tenth nothing is looked at, and nothing stays in memory"""
    server = Server([("alice", "")], md5_only=True)
    before_mb = server.rss_mb()
    words = [f"wrong-{number}" for number in range(WRONG)] + ["wonder"]
    assert not cracks(server, words)
    assert server.process.said().count("wrong credentials") == 1, server.process.said()[-2000:]
    assert server.metric('convoke_limit_hit_total{limit="wrong_passwords"}') > 0
    assert not server.bindings("alice")
    time.sleep(REST_S)
    after_mb = server.rss_mb()
    print(f"RSS before and {REST_S} s later, MB: {before_mb:.1f}, {after_mb:.1f}")
    assert after_mb <= max(before_mb * 1.2, before_mb + 50)
