"""`ringward profile` beside something else: one that goes on, and is known to."""

import subprocess

import harness


def command(test, *words):
    return [harness.BINARY, *words, "--socket", test.directory / "admin.sock"]


def start(test, *words):
    """A profile that goes on; killed when the test ends."""
    process = subprocess.Popen(command(test, "profile", *words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    test.addCleanup(process.communicate)
    test.addCleanup(process.kill)
    return process


def hold(test, *words):
    """One that is under way, and what a second one is told meanwhile."""
    running = start(test, *words)

    def told():
        nonlocal running
        done = harness.ringward(*command(test, "profile", "--seconds", "1")[1:])
        if done.returncode:
            return done
        if running.poll() is not None:  # the second one came first, or it took too long
            running = start(test, *words)
        return None
    done = harness.eventually(told, within=20, what="a profile that is refused")
    test.assertEqual((done.returncode, done.stdout), (1, ""))
    return running, done.stderr
