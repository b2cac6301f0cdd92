"""varved killed again and again while clients push: see kill_loop.py."""

from harness import Skip, case
from kill_loop import kill_loop

ROUNDS = 100
LONG_ROUNDS = 1000


@case
def kill_loop_keeps_every_promise(context):
    if context.daemon is None:
        raise Skip("needs a varved of its own; --registry gives a foreign one")
    return kill_loop(context.binaries, f"{context.folder}/daemon",
                     LONG_ROUNDS if context.long else ROUNDS)
