from backend.store.database import Store
from backend.store.views import delete_view, get_view, list_views, put_view


def test_views_are_kept_renewed_and_forgotten(store: Store) -> None:
    put_view(store, key="a", page="layers", query="model=demo:tiny&site=final")
    put_view(store, key="b", page="depth", query="")
    put_view(store, key="a", page="layers", query="model=x%26y")
    view = get_view(store, "a")
    assert view is not None
    assert (view.page, view.query) == ("layers", "model=x%26y")
    assert [view.key for view in list_views(store)] == ["a", "b"]
    assert [view.key for view in list_views(store, limit=1)] == ["a"]
    delete_view(store, "a")
    assert get_view(store, "a") is None
