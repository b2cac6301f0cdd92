"""Prunes without pause beside clients, and kills: see prune_soak.py."""

from harness import Skip, case
from prune_soak import prune_soak

ROUNDS = 8
ROUND_SECONDS = 8
LONG_ROUNDS = 100


@case
def prunes_beside_clients_break_no_promise(context):
    if context.daemon is None:
        raise Skip("needs a varved of its own; --registry gives a foreign one")
    sentences = prune_soak(context.binaries, f"{context.folder}/daemon",
                           LONG_ROUNDS if context.long else ROUNDS, ROUND_SECONDS)
    return "".join(f"\n        {sentence}" for sentence in sentences)
