"""What the console command's sub-commands do; each takes the parsed arguments, returns a code."""

import json
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from backend.errors import UserError
from backend.jobs import Job
from backend.requests import CaptureAsk, RunRequest, data_of
from backend.training import Recipe
from backend.whatif import WhatIf
from backend.workbench import Workbench, open_workbench
from backend.writing import check_folder, write_result


def _open(arguments: Namespace) -> Workbench:
    return open_workbench(arguments.store, scheduler=arguments.scheduler)


def _watch(workbench: Workbench, job: Job) -> Any:
    """Wait for a job; on a terminal its progress is one line that renews itself."""
    live = sys.stderr.isatty()
    try:
        while not job.ended.wait(0.2):
            if live:
                share = f"{job.done:,} of {job.total:,}" if job.total else ""
                left = f", {job.seconds_left:.0f} s left" if job.seconds_left else ""
                print(f"\r\x1b[K{job.message} {share}{left}", end="", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        workbench.cancel(job.id)
        job.ended.wait(60)
        raise
    finally:
        if live:
            print("\r\x1b[K", end="", file=sys.stderr)
    return workbench.runner.wait(job)


def _bring(workbench: Workbench, arguments: Namespace, ref: str) -> str:
    """Read a data file with the text column that was named; returns its reference."""
    _watch(workbench, workbench.submit_data(ref, text_column=arguments.text_column))
    return ref


def _settings(arguments: Namespace) -> list[tuple[str, str]]:
    """What --set said, in order."""
    for pair in arguments.settings:
        if "=" not in pair:
            raise UserError(f"--set {pair!r} has no value.", "Write --set NAME=VALUE.")
    return [tuple(pair.split("=", 1)) for pair in arguments.settings]


def run(arguments: Namespace) -> int:
    """`penultimate run`: an analysis, printed and written where --out says."""
    parameters: dict[str, object] = dict(_settings(arguments))
    spec = Workbench.spec(arguments.analysis)
    spec.parse(parameters)
    if spec.model == "required" and not arguments.model:
        raise UserError(f"{spec.title} needs a model.", "Add --model demo:smollm2.")
    if not arguments.data and (trained_on := data_of(arguments.model)):
        arguments.data = [trained_on]
    most = 1 if spec.reads == "rows" else 2
    if not 1 <= len(arguments.data) <= most:
        takes = "one data set" if most == 1 else "one or two data sets"
        example = {"rows": "facts", "choices": "film-choices", "ratings": "lectures"}[spec.reads]
        raise UserError(f"{spec.title} takes {takes}.", f"Add --data demo:{example}.")
    if arguments.out:
        check_folder(Path(arguments.out))
    workbench = _open(arguments)
    data, *also = (_bring(workbench, arguments, ref) for ref in arguments.data)
    request = RunRequest(
        arguments.analysis,
        arguments.model,
        data,
        arguments.other,
        arguments.sites,
        arguments.pool,
        arguments.rows,
        arguments.seed,
        arguments.half,
        parameters,
        str(WhatIf.parse(arguments.whatif)),
        *also,
    )
    result = workbench.stored(request) or _watch(workbench, workbench.submit_run(request))
    print(result.reading)
    if arguments.out:
        for path in write_result(result, Path(arguments.out)):
            print(path)
    return 0


def capture(arguments: Namespace) -> int:
    """`penultimate capture`: run a model over data and keep its vectors."""
    workbench = _open(arguments)
    data = _bring(workbench, arguments, arguments.data)
    ask = CaptureAsk(
        arguments.model, data, arguments.sites, arguments.pool, arguments.rows, arguments.half,
        str(WhatIf.parse(arguments.whatif)),
    )  # fmt: skip
    _watch(workbench, workbench.submit_model(arguments.model))
    if plan := workbench.plan(ask):
        print(plan.quote(), file=sys.stderr)
    view = _watch(workbench, workbench.submit_capture(ask))
    resolved = workbench.resolve(ask)
    check = workbench.oracle(resolved) if resolved else None
    print(f"{view.n:,} rows at {len(view.sites)} sites: {', '.join(view.sites)}")
    if check:
        print(
            f"Check against the plain forward pass: {check['verdict']} "
            f"(largest difference {check['largest']:.1e} of the site's size, "
            f"{check['rows']} rows)"
        )
    return 0


def train(arguments: Namespace) -> int:
    """`penultimate train`: a net from a recipe; prints how good it is, and its checkpoints."""
    if arguments.list:
        for run in _open(arguments).trainings():
            print(f"{run['key'][:12]}  {_trained(run)}  {run['recipe']}")
        return 0
    if not (arguments.data and arguments.label):
        lacking = "--label COLUMN" if arguments.data else "--data REF --label COLUMN"
        raise UserError("A training needs pictures and their classes.", f"Add {lacking}.")
    told = [("data", arguments.data), ("label", arguments.label), *_settings(arguments)]
    recipe = Recipe.parse(urlencode(told))
    workbench = _open(arguments)
    run = _watch(workbench, workbench.submit_training(recipe))
    print(_trained(run))
    for checkpoint in run["checkpoints"]:
        print(checkpoint["folder"])
    return 0


def _trained(run: dict) -> str:
    """A training in one line: on what, how far, how well."""
    last = run["history"][-1]
    state = "" if run["finished"] else "stopped after "
    return (
        f"{run['data_name']}: {state}epoch {last['epoch']}, {len(run['checkpoints'])} checkpoints, "
        f"test accuracy {last['test_accuracy']:.1%}"
    )


def models(arguments: Namespace) -> int:
    """`penultimate models`: what there is, what one is, or forget one."""
    workbench = _open(arguments)
    if arguments.action == "list":
        from backend.demo import DEMO

        known = {m["ref"]: m for m in workbench.models()}
        rows = [(f"demo:{d.name}", d.title) for d in DEMO if d.kind == "model"]
        rows += [(ref, m["title"]) for ref, m in known.items() if not ref.startswith("demo:")]
        for ref, title in rows:
            print(f"{ref:28} {title}{'  (ready)' if ref in known else ''}")
        return 0
    if arguments.action == "export":
        ref, *target = _named(arguments, "models", "REF FOLDER")
        if len(target) != 1:
            raise UserError("`models export` needs a folder.", "Add REF FOLDER.")
        print(_watch(workbench, workbench.submit_export(ref, arguments.whatif, target[0])))
        return 0
    for ref in _named(arguments, "models", "REF"):
        if arguments.action == "show":
            facts = _watch(workbench, workbench.submit_model(ref))
            print(json.dumps({k: v for k, v in facts.items() if k != "sites"}, indent=2))
        else:
            found = workbench.model(ref)
            if found is None:
                raise UserError(f"{ref} is not in the store.", "`penultimate models` lists them.")
            workbench.remove_model(found["model_id"])
    return 0


def data(arguments: Namespace) -> int:
    """`penultimate data`: what there is, what one is, crops of its pictures, or remove one."""
    workbench = _open(arguments)
    if arguments.action == "list":
        from backend.demo import DEMO

        for demo in DEMO:
            if demo.kind != "model" and demo.is_offered:
                print(f"{'demo:' + demo.name:28} {demo.title}")
        for dataset in workbench.datasets():
            print(
                f"{dataset.hash[:12]:28} {dataset.name}, {dataset.n_rows:,} rows of {dataset.kind}"
            )
        return 0
    for ref in _named(arguments, "data", "REF"):
        if arguments.action == "show":
            dataset = _watch(workbench, workbench.submit_data(ref))
            print(json.dumps(dataset.to_json(), indent=2))
        elif arguments.action == "crops":
            job = workbench.submit_crops(ref, per_image=arguments.per_image, seed=arguments.seed)
            made = _watch(workbench, job)
            print(f"{made.hash}  {made.name}, {made.n_rows:,} rows of {made.kind}")
        else:
            hashes = [d.hash for d in workbench.datasets() if d.hash.startswith(ref)]
            known = workbench.dataset(ref)
            if known is None and len(hashes) != 1:
                raise UserError(f"{ref} is not in the store.", "`penultimate data` lists them.")
            workbench.remove_data(known.hash if known else hashes[0])
    return 0


def jobs(arguments: Namespace) -> int:
    """`penultimate jobs`: what ran, and how it ended."""
    workbench = _open(arguments)
    if arguments.action == "remove":
        for job in _named(arguments, "jobs", "JOB"):
            workbench.forget_job(job)
        return 0
    for job in workbench.jobs():
        print(f"{job['id']}  {job['state']:11}  {job['title']}  {job['error'] or ''}".rstrip())
    return 0


def store(arguments: Namespace) -> int:
    """`penultimate store`: sizes, checksums, a portable copy, or a query of such a copy."""
    actions: dict[str, Callable[[Namespace], int]] = {
        "sizes": _sizes,
        "verify": _verify,
        "pack": _pack,
        "sql": _sql,
    }
    return actions[arguments.action](arguments)


def _sizes(arguments: Namespace) -> int:
    found = _open(arguments).sizes()
    parts = {
        "models": sum(found.models.values()),
        "data": sum(found.datasets.values()),
        "captures": sum(found.captures.values()),
        "downloads": found.downloads,
        "database": found.database,
        "free on disk": found.free,
    }
    for name, size in parts.items():
        print(f"{name:14} {size / 1e6:12,.1f} MB")
    return 0


def _verify(arguments: Namespace) -> int:
    damage = _open(arguments).store.verify()
    for part in damage:
        print(part, file=sys.stderr)
    print(f"{len(damage)} damaged shards" if damage else "Every shard has its checksum.")
    return 2 if damage else 0


def _pack(arguments: Namespace) -> int:
    from backend.store.pack import pack

    target = _named(arguments, "store pack", "FILE.duckdb")[0]
    packed = pack(_open(arguments).store, Path(target))
    print(
        f"{packed.path}: {packed.captures} captures, {packed.results} results, "
        f"{packed.bytes / 1e6:,.1f} MB"
    )
    return 0


def _sql(arguments: Namespace) -> int:
    from backend.store.sql import query

    file, *rest = _named(arguments, "store sql", "FILE.duckdb QUERY")
    if not rest:
        raise UserError("`store sql` needs a query.", "Write: store sql FILE.duckdb 'select ...'.")
    print(query(Path(file), " ".join(rest)).to_pandas().to_string(index=False))
    return 0


def replicate(arguments: Namespace) -> int:
    """`penultimate replicate`: the claims table, measured on the models at hand."""
    from backend.claims import replicate as measure

    workbench = _open(arguments)
    for path in measure(workbench, Path(arguments.out), say=print):
        print(path)
    return 0


def _named(arguments: Namespace, command: str, what: str) -> list[str]:
    if not arguments.what:
        raise UserError(f"`{command} {arguments.action}` needs a name.", f"Add {what}.")
    return arguments.what
