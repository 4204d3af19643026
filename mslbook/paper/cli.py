"""The command line: ``mslbook list``, ``run NAME``, ``claims``, ``check FILE.py:NAME``."""

import argparse
import os
import re
import runpy
import signal
import sys
from inspect import signature
from threading import Thread

from mslbook import __version__

OUT_OF_MEMORY = re.compile("out of memory|allocate memory")  # torch raises a RuntimeError
MEMORY_HINT = "choose a smaller --size, or fewer images"
CHECKED = "a NetworkLoss, a function without arguments that makes one, or (module, inputs)"
RESUME_HINT = "; the same command goes on from the last checkpoint"


def main(arguments=None):
    """Run one command; returns the exit status, 2 for a request that cannot be met."""
    options = vars(_parser().parse_args(arguments))
    command = options.pop("command")
    if _is_rank():
        _answer_sigterm()
    try:
        status = command(**options) or 0
        sys.stdout.flush()  # so that a reader who has left is noticed here
        return status
    except BrokenPipeError:  # such as `head`, which has read enough
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())  # for what Python writes at its exit
        return 1
    except (ValueError, OSError, FloatingPointError) as error:
        return _tell(f"{error}{RESUME_HINT if isinstance(error, ConnectionError) else ''}")
    except ModuleNotFoundError as error:
        return _tell(f"this needs {error.name}: pip install 'mslbook[network]'")
    except MemoryError as error:
        return _tell(f"{str(error) or 'the memory is full'}: {MEMORY_HINT}")
    except RuntimeError as error:
        if not OUT_OF_MEMORY.search(str(error)):
            raise
        return _tell(f"the memory is full: {MEMORY_HINT}")
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return _tell(f"stopped{RESUME_HINT}", status=130)


def _is_rank():
    """Whether torchrun has started this process beside others."""
    return "RANK" in os.environ and os.environ.get("WORLD_SIZE") != "1"


def _tell(words, status=2):
    """Say it on stderr, and return the exit status; one of several processes says which it is."""
    rank = f" (rank {os.environ['RANK']})" if _is_rank() else ""
    print(f"mslbook{rank}: {words}", file=sys.stderr, flush=True)
    return status


def _answer_sigterm():
    """Answer SIGTERM, with which torchrun ends the ranks that outlive another, in words.

    A thread does, since the main one may be deep inside torch, waiting for the rank that died.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.signal(signal.SIGTERM, lambda *_: None)  # it only has to reach the pipe
    signal.set_wakeup_fd(writer)

    def answer():
        while os.read(reader, 1) != bytes([signal.SIGTERM]):
            pass
        words = f"stopped, as all ranks are when one has ended{RESUME_HINT}"
        os._exit(_tell(words, status=128 + signal.SIGTERM))

    Thread(target=answer, daemon=True).start()


def _parser():
    parser = argparse.ArgumentParser("mslbook", description="Run and list the book's experiments.")
    parser.add_argument("--version", action="version", version=f"mslbook {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    for name, command, about in (
        ("list", _list, "name the experiments and what is recorded"),
        ("run", _run, "run an experiment, or go on with it, and record it"),
        ("claims", _claims, "what the paper says and what we measured"),
        ("check", _check, "whether the derivatives of a network of yours are right"),
    ):
        commands.add_parser(name, help=about).set_defaults(command=command)
    run = commands.choices["run"]
    run.add_argument("name", help="as `mslbook list` names it")
    for option, default, about in (
        ("--data", "digits", "digits, cifar10, cifar100, cifar100-50x100 or FILE.npz"),
        ("--size", "small", "small, reduced or paper"),
        ("--device", "cpu", "cpu or cuda"),
        ("--out", "runs", "folder of the recording"),
        ("--root", ".data", "folder of CIFAR downloads"),
    ):
        run.add_argument(option, default=default, help=f"{about} (default: {default})")
    run.add_argument("--download", action="store_true", help="fetch CIFAR if it is not there")
    commands.choices["check"].add_argument("target", metavar="FILE.py:NAME", help=CHECKED)
    return parser


def _list():
    from mslbook.paper.experiments import EXPERIMENTS, recordings
    from mslbook.paper.recording import load

    for name, (*_, about) in EXPERIMENTS.items():
        print(f"{name}  {about}")
        for path in recordings(name):
            run = load(path).provenance
            print(f"  recorded: {run['data']} ({run['size']}, {run['device']})")


def _run(out, **request):
    from mslbook.paper.experiments import run
    from mslbook.paper.recording import load

    path = run(folder=out, **request)
    if os.environ.get("RANK", "0") == "0":
        print(f"recorded {path}")
        if mixed := load(path).mixed():
            print(mixed)


def _claims():
    from mslbook.paper.ledger import report

    return report()


def _check(target):
    from mslbook.losses.network import NetworkLoss
    from mslbook.probes import conformance

    file, _, name = target.partition(":")
    if not os.path.isfile(file):
        raise ValueError(f"there is no file {file!r}: say FILE.py:NAME")
    sys.path.insert(0, os.path.dirname(os.path.abspath(file)))  # for what stands beside it
    found = runpy.run_path(file).get(name)
    loss = found() if callable(found) and not signature(found).parameters else found
    if not isinstance(loss, NetworkLoss | tuple):
        what = f"there is no {name!r}"
        if found is not None:
            what = f"{name!r} is a {type(loss).__name__}"
        raise ValueError(f"say FILE.py:NAME of {CHECKED}: in {file}, {what}")
    try:
        report = conformance(loss)
    except TypeError as error:  # the module does not take these inputs
        raise ValueError(f"{name!r} cannot be examined: {error}") from error
    print(report)
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main())
