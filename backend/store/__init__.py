"""What Penultimate remembers.

The names below are loaded when first used, so that workers, which write shards, do not load
DuckDB. The functions `pack` and `sizes` are in the modules of these names.
"""

from importlib import import_module

_NAMES = {
    "database": ("Store",),
    "catalogue": (
        *("CaptureRow", "ModelRow", "ShardEntry"),
        *("put_model", "get_model", "list_models", "delete_model"),
        *("put_capture", "get_capture", "list_captures", "delete_captures"),
        *("put_shards", "shards_of", "present", "put_check", "get_check"),
    ),
    "datasets": ("DatasetRow", "put_dataset", "get_dataset", "list_datasets", "delete_dataset"),
    "jobs": ("JobRow", "put_job", "update_job", "get_job", "list_jobs", "delete_job")
    + ("interrupted",),
    "neighbours": ("nearest",),
    "relations": ("Gathered",),
    "results": ("put_result", "get_result", "list_results", "delete_result", "result_tables"),
    "sizes": ("Sizes",),
    "slices": ("Filter", "select", "values_of", "gather"),
    "sql": ("query", "was_truncated"),
    "sweep": ("Damage", "Swept"),
    "vectors": (
        "Shard",
        "ShardInfo",
        "forget_shards",
        "read_shard",
        "shard_path",
        "vectors_table",
        "write_shard",
    ),
    "views": ("View", "put_view", "get_view", "list_views", "delete_view"),
}
_MODULE_OF = {name: module for module, names in _NAMES.items() for name in names}
__all__ = sorted(_MODULE_OF)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
