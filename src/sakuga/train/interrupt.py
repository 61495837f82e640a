"""Ctrl-C in a training: the first ends it when its step is done and saved, the second at once."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator

GRACE_S = 1.0  # that the main thread has to act on a second Ctrl-C
SHOW_CURSOR = "\x1b[?25h"  # which the progress bar hides
_END = b"\0"  # no signal has this number


@contextlib.contextmanager
def noted_ctrl_c(*, speaks: bool = True) -> Iterator[threading.Event]:
    """Turn the first Ctrl-C into a flag, read between steps, so that what is saved is a whole step.

    It is acknowledged at once. The second one ends at once: by KeyboardInterrupt, or, where the
    main thread is deep inside one computation and does not react, by ending the process.
    Python handles signals only between the bytecodes of its main thread, and a backward pass of a
    minute is one bytecode; so a thread of its own listens. Outside the main thread this does
    nothing.

    Args:
        speaks: tell the user that Ctrl-C is being obeyed.
    """
    asked, acted = threading.Event(), threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    count = 0

    def note(number: int, frame: object) -> None:
        if asked.is_set() or count > 1:  # two that came during one computation arrive as one
            acted.set()
            raise KeyboardInterrupt
        asked.set()

    def listen() -> None:
        nonlocal count
        while (byte := receiver.recv(1)) != _END:
            if byte != bytes([signal.SIGINT]):
                continue
            count += 1
            if count == 1 and speaks:
                _say("sakuga: stopping when this step is done and saved; Ctrl-C again ends at once")
            elif count == 2 and not acted.wait(GRACE_S):
                _say("sakuga: stopped" + SHOW_CURSOR * sys.stderr.isatty())
                os._exit(130)

    receiver, sender = socket.socketpair()
    sender.setblocking(False)
    listener = threading.Thread(target=listen, name="ctrl-c", daemon=True)
    listener.start()
    previous_sender = signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
    previous = signal.signal(signal.SIGINT, note)
    try:
        yield asked
    finally:
        acted.set()  # whatever comes now, this is being left
        signal.signal(signal.SIGINT, previous)
        signal.set_wakeup_fd(previous_sender)
        sender.send(_END)
        listener.join()
        receiver.close()
        sender.close()


def _say(text: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # nobody reads it any more
        print(text, file=sys.stderr, flush=True)
