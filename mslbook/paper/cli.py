"""The command line: ``mslbook list``, ``mslbook run NAME``, ``mslbook claims``."""

import argparse
import os
import re
import signal
import sys
from threading import Thread

from mslbook import __version__


def main(arguments=None):
    """Run one command; returns the exit status, 2 for a request that cannot be met."""
    options = _parser().parse_args(arguments)
    if _is_rank():
        _handle_sigterm()
    try:
        return options.command(options)
    except (ValueError, OSError, FloatingPointError) as error:
        _print_error(f"{error}{RESUME_HINT if isinstance(error, ConnectionError) else ''}")
        return 2
    except ModuleNotFoundError as error:
        _print_error(f"this needs {error.name}: pip install 'mslbook[network]'")
        return 2
    except MemoryError as error:
        _print_error(f"{str(error) or 'the memory is full'}: {MEMORY_HINT}")
        return 2
    except RuntimeError as error:
        if not OUT_OF_MEMORY.search(str(error)):
            raise
        _print_error(f"the memory is full: {MEMORY_HINT}")
        return 2
    except KeyboardInterrupt:
        print(file=sys.stderr)
        _print_error(f"stopped{RESUME_HINT}")
        return 130


OUT_OF_MEMORY = re.compile("out of memory|allocate memory")  # torch raises a RuntimeError
MEMORY_HINT = "choose a smaller --size, or fewer images"
RESUME_HINT = "; the same command goes on from the last checkpoint"


def _is_rank():
    """Whether torchrun has started this process beside others."""
    return "RANK" in os.environ and os.environ.get("WORLD_SIZE") != "1"


def _print_error(words):
    """Say it on stderr; one of several processes says which it is."""
    rank = f" (rank {os.environ['RANK']})" if _is_rank() else ""
    print(f"mslbook{rank}: {words}", file=sys.stderr, flush=True)


def _handle_sigterm():
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
        _print_error(f"stopped, as all ranks are when one has ended{RESUME_HINT}")
        os._exit(128 + signal.SIGTERM)

    Thread(target=answer, daemon=True).start()


def _parser():
    parser = argparse.ArgumentParser("mslbook", description="Run and list the book's experiments.")
    parser.add_argument("--version", action="version", version=f"mslbook {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    listing = commands.add_parser("list", help="name the experiments and what is recorded")
    listing.set_defaults(command=_list)

    run = commands.add_parser("run", help="run an experiment, or go on with it, and record it")
    run.set_defaults(command=_run)
    run.add_argument("name", help="as `mslbook list` names it")
    known = "digits, cifar10, cifar100, cifar100-50x100 or FILE.npz (default: digits)"
    run.add_argument("--data", default="digits", help=known)
    run.add_argument("--size", default="small", help="small, reduced or paper (default: small)")
    run.add_argument("--device", default="cpu", help="cpu or cuda (default: cpu)")
    run.add_argument("--out", default="runs", help="folder of the recording (default: runs)")
    run.add_argument("--root", default=".data", help="folder of CIFAR downloads (default: .data)")
    run.add_argument("--download", action="store_true", help="fetch CIFAR if it is not there")

    claims = commands.add_parser("claims", help="what the paper says and what we measured")
    claims.set_defaults(command=_claims)
    return parser


def _list(options):
    from mslbook.paper.experiments import EXPERIMENTS, recordings
    from mslbook.paper.recording import load

    for name, (*_, about) in EXPERIMENTS.items():
        print(f"{name}  {about}")
        for path in recordings(name):
            run = load(path).provenance
            print(f"  recorded: {run['data']} ({run['size']}, {run['device']})")
    return 0


def _run(options):
    from mslbook.paper.experiments import run
    from mslbook.paper.recording import load

    path = run(
        options.name,
        data=options.data,
        size=options.size,
        device=options.device,
        folder=options.out,
        root=options.root,
        download=options.download,
    )
    if os.environ.get("RANK", "0") == "0":
        print(f"recorded {path}")
        if mixed := load(path).mixed():
            print(mixed)
    return 0


def _claims(options):
    from mslbook.paper.ledger import report

    return report()
