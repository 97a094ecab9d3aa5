from pathlib import Path

import pyarrow as pa

from backend.keys import digest
from backend.store.catalogue import put_model, shards_of
from backend.store.database import Store
from backend.store.results import put_result
from backend.store.sizes import size_of, sizes

from .conftest import Stored


def test_sizes_are_what_the_files_have(store: Store, captured: Stored, tmp_path: Path) -> None:
    model = tmp_path / "model"
    (model / "sub").mkdir(parents=True)
    (model / "sub" / "weights").write_bytes(bytes(1000))
    (model / "link").symlink_to(model / "sub" / "weights")
    (model / "loop").symlink_to(model)
    (store.home / "downloads").mkdir()
    (store.home / "downloads" / "x").write_bytes(bytes(77))
    key = digest({"r": 1})
    put_model(store, model_id="m", ref="r", title="t", modality="text", description={}, path=model)
    put_result(
        store,
        key=key,
        analysis="a",
        version=1,
        scalars={},
        tables={"t": pa.table({"x": [1.0, 2.0]})},
        reading="",
        provenance={},
    )
    found = sizes(store)
    assert found.models == {"m": 2000}  # model caches link to their files: links are followed
    assert found.datasets == {captured.dataset: 4}
    assert found.captures == {
        captured.key: sum(path.stat().st_size for path in shards_of(store, captured.key))
    }
    assert found.results == {key: 16}
    assert found.downloads == 77
    assert found.database > 0
    assert found.free > 0
    assert found.total == 4 + found.captures[captured.key] + 77 + found.database
    assert size_of(tmp_path / "none") == 0
