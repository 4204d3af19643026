"""Several processes that share one loss, for the tests of the library and of its runs."""

import multiprocessing
import os
from pathlib import Path

import pytest

RANKS = (1, 2, 4)
HUNG = 600  # seconds: what takes longer will never come, however busy the machine is


def gloo():
    """Whether this PyTorch, if there is one, was built with gloo."""
    try:
        from torch import distributed
    except ModuleNotFoundError:
        return False
    return distributed.is_available() and distributed.is_gloo_available()


needs_gloo = pytest.mark.skipif(not gloo(), reason="needs PyTorch built with gloo")


class Together:
    """Call with ``(task, ranks, ...)``: what each of these processes, joined, answers."""

    def __init__(self, module, folder):
        self._context, self._folder = multiprocessing.get_context("forkserver"), folder
        # PyTorch is imported once for all, and what networks.py imports late.
        self._context.set_forkserver_preload([module.__name__, "torchvision.models"])

    def __call__(self, task, ranks, *arguments, backend="gloo"):
        meeting = self._folder / f"{len(list(self._folder.iterdir()))}"
        meeting.touch()
        pipes = []
        for number in range(ranks):
            receiver, sender = self._context.Pipe(duplex=False)
            who = (sender, meeting, backend, number, ranks)
            self._context.Process(target=join, args=(*who, task, arguments), daemon=True).start()
            sender.close()
            pipes.append(receiver)
        return [answer(pipe) for pipe in pipes]


def answer(pipe):
    """What a process sent, None if it died."""
    assert pipe.poll(timeout=HUNG), "a process hangs"
    try:
        return pipe.recv()
    except EOFError:
        return None


def join(sender, meeting, backend, number, ranks, task, arguments):
    """Join the others, do the task, and send what came out."""
    import torch
    from torch import distributed

    torch.set_num_threads(1)
    where = {"init_method": f"file://{meeting}.store", "rank": number, "world_size": ranks}
    if backend:
        distributed.init_process_group(backend, **where)
        distributed.barrier()  # or a rank that is refused at once is gone before all have met
    try:
        found = task(*arguments)
    except (ValueError, ConnectionError) as error:
        found = f"{type(error).__name__}: {error}"
    sender.send(found)


def paths_of(module):
    """Where the other processes find a test module and what it imports."""
    here = Path(__file__).parent
    return os.pathsep.join({str(Path(module.__file__).parent): 0, str(here): 0})
