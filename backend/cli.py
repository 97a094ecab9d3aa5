"""The console command: start the dashboard, or do from a script what its pages do.

Exit codes: 0 done; 2 the user's mistake, one line on stderr; 130 cancelled, what was finished is
kept.
"""

import argparse
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from backend import __version__
from backend.errors import Cancelled, UserError


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str):
        print(f"penultimate: {message}. See `{self.prog} --help`.", file=sys.stderr)
        raise SystemExit(2)


def build_parser() -> argparse.ArgumentParser:
    """Every command with its options."""
    parser = _Parser(
        prog="penultimate",
        description="Look inside neural networks. Without a command: start the dashboard.",
    )
    parser.add_argument("--version", action="version", version=f"penultimate {__version__}")
    parser.add_argument(
        "--store", metavar="DIR", help="the data folder (default: PENULTIMATE_HOME)"
    )
    parser.add_argument("--port", type=int, help="the dashboard's port (default 8501)")
    parser.add_argument("--address", default="127.0.0.1", help="where the dashboard listens")
    parser.add_argument(
        "--no-login", action="store_true", help="allow another address without a login"
    )
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser")
    commands = parser.add_subparsers(dest="command", parser_class=_Parser)
    _add_run(commands)
    _add_capture(commands)
    _add_train(commands)
    for name, actions in (
        ("models", ("list", "show", "export", "remove")),
        ("data", ("list", "show", "crops", "remove")),
        ("jobs", ("list", "remove")),
        ("store", ("sizes", "verify", "pack", "sql")),
    ):
        part = commands.add_parser(name, help=f"{', '.join(actions)} {name}")
        part.add_argument("action", nargs="?", default=actions[0], choices=actions)
        part.add_argument("what", nargs="*", help="a reference, a job, or FILE.duckdb [QUERY]")
        if name == "models":
            part.add_argument("--whatif", default="", metavar="CHANGE", help="bits to export with")
        if name == "data":
            part.add_argument(
                "--per-image", type=int, default=30, metavar="N", help="crops of each picture"
            )
            part.add_argument("--seed", type=int, default=0, help="where crops lie")
        _add_common(part)
    part = commands.add_parser("replicate", help="hold every finding of the papers against models")
    part.add_argument("--out", metavar="DIR", default="out/replicate")
    _add_common(part)
    return parser


def _add_common(part: argparse.ArgumentParser) -> None:
    part.add_argument("--store", metavar="DIR", default=argparse.SUPPRESS, help="the data folder")
    part.add_argument(
        "--scheduler",
        metavar="URL",
        default="inline",
        help="inline (this process), local (a worker process), or tls://HOST:PORT",
    )


def _add_capture_options(part: argparse.ArgumentParser) -> None:
    part.add_argument("--pool", default="", help="last, mean, cls, max, tokens or spatial")
    part.add_argument("--rows", type=int, default=0, help="a sample of so many rows (0: all)")
    part.add_argument("--half", action="store_true", help="keep vectors in half precision")
    part.add_argument(
        "--whatif", default="", metavar="CHANGE",
        help="run the model changed, e.g. skip:3,5-7 or bits:4=0-9,3=10-29, joined with +",
    )  # fmt: skip
    part.add_argument("--text-column", metavar="NAME", help="which column of a table holds texts")


def _add_run(commands) -> None:
    part = commands.add_parser("run", help="run an analysis")
    part.add_argument("analysis")
    part.add_argument("--model", metavar="REF", default="", help="demo:NAME, org/name[@rev], path")
    part.add_argument("--other", metavar="REF", default="", help="a second model to compare with")
    part.add_argument(
        "--data", metavar="REF", action="append", default=[], help="demo:NAME or path"
    )
    part.add_argument("--set", metavar="NAME=VALUE", action="append", default=[], dest="settings")
    part.add_argument("--sites", default="all")
    part.add_argument("--seed", type=int, default=0)
    part.add_argument("--out", metavar="DIR", help="write result.json, tables and figures here")
    _add_capture_options(part)
    _add_common(part)


def _add_capture(commands) -> None:
    part = commands.add_parser("capture", help="capture and keep a model's vectors")
    part.add_argument("--model", metavar="REF", required=True)
    part.add_argument("--data", metavar="REF", required=True)
    part.add_argument("--sites", default="all", help="e.g. all, or embed,resid_post.*,final")
    _add_capture_options(part)
    _add_common(part)


def _add_train(commands) -> None:
    part = commands.add_parser("train", help="train a small net on pictures, with checkpoints")
    part.add_argument("--data", metavar="REF", default="", help="pictures: demo:NAME or path")
    part.add_argument("--label", metavar="COLUMN", default="", help="which column holds classes")
    part.add_argument(
        "--set", metavar="NAME=VALUE", action="append", default=[], dest="settings",
        help="a part of the recipe, such as epochs=10",
    )  # fmt: skip
    part.add_argument("--list", action="store_true", help="list the trainings there are")
    _add_common(part)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the console command; returns the exit code."""
    arguments = build_parser().parse_args(argv)
    try:
        if arguments.command is None:
            from backend.dashboard import start

            return start(
                home=arguments.store,
                port=arguments.port,
                address=arguments.address,
                no_login=arguments.no_login,
                browser=not arguments.no_browser,
            )
        from backend import commands

        with _orderly_end():
            return getattr(commands, arguments.command)(arguments)
    except UserError as error:
        print(f"penultimate: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except (KeyboardInterrupt, Cancelled):
        print("penultimate: cancelled; what was finished is kept.", file=sys.stderr)
        return 130
    finally:
        _release()


@contextmanager
def _orderly_end() -> Iterator[None]:
    """Turn SIGTERM into an exit that ends workers first; a job stays unfinished, to be resumed."""

    def leave(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers
        return
    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _release() -> None:
    """End workers and let go of the store, if a command opened them."""
    if "backend.workbench" in sys.modules:
        from backend.workbench import shutdown

        shutdown()


if __name__ == "__main__":
    sys.exit(main())
