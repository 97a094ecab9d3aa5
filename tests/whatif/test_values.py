"""What-ifs as values: equal changes have equal text, and the text gives the change back."""

import pytest

from backend.errors import UserError
from backend.whatif import Quantize, SkipLayers, WhatIf, quantize, ranges, skip


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("", ""),
        (" skip:7,5-6,3 ", "skip:3,5-7"),
        ("skip:3+skip:5", "skip:3,5"),
        ("bits:3=1,4=0+skip:2", "skip:2+bits:4=0,3=1"),
        ("bits:4=0-3+bits:8=1", "bits:8=1,4=0,2-3"),
        ("bits:4=0,2,3=1", "bits:4=0,2,3=1"),
        ("bits:4=0:g64:rtn", "bits:4=0"),
        ("bits:4=0:sym:g0", "bits:4=0:g0:sym"),
        ("bits:4=0+bits:4=1:g32", "bits:4=0+bits:4=1:g32"),
        ("bits:4=0:g32+bits:3=0", "bits:3=0"),
        ("skip-mlp:1:t0-", "skip-mlp:1"),
        ("skip-attn:1:t2-9+skip:1", "skip-attn:1:t2-9+skip:1"),
    ],
)
def test_equal_changes_have_equal_text(typed, text):
    found = WhatIf.parse(typed)
    assert str(found) == text
    assert WhatIf.parse(text) == found and hash(WhatIf.parse(text)) == hash(found)
    assert bool(found) == bool(text)


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        ("skip", "''"), ("skip:x", "'x'"), ("skip:5-3", "'5-3'"), ("drop:3", "'drop:3'"),
        ("bits:9=0", "'9=0'"), ("bits:1=0", "'1=0'"), ("bits:0-9", "'0-9'"), ("bits:4=0:x", "'x'"),
        ("skip:3:t5-5", "'t5-5'"), ("skip:3:g64", "'g64'"), ("bits:=3", "'=3'"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named_with_the_remedy(typed, named):
    with pytest.raises(UserError) as refused:
        WhatIf.parse(typed)
    assert named in refused.value.what and "Write for example skip:3" in refused.value.remedy


def test_changes_add_up_and_the_later_bits_hold():
    both = quantize({0: 4, 1: 4}) + quantize({1: 8}) + skip([2], "mlp")
    assert both.bits == {0: 4, 1: 8}
    assert both.skipped == {2: ("mlp",)}
    assert both.layers == (0, 1, 2)
    assert both.without([1, 2]) == quantize({0: 4})
    assert both.without([0, 1, 2]) == WhatIf()
    assert skip([1]) + skip([1]) == skip([1])


def test_a_layer_that_is_not_there_is_refused():
    assert skip([2]).check(3) == skip([2])
    with pytest.raises(UserError, match="names layer 3, and the model has 3 blocks.*from 0 to 2"):
        quantize({3: 4}).check(3)


def test_an_assignment_sets_bits_and_nothing_else():
    assert WhatIf.parse("bits:4=0,3=1:g8").assignment() == Quantize(((0, 4), (1, 3)), group=8)
    for typed in ("", "skip:1", "skip:1+bits:4=0", "bits:4=0+bits:4=1:g8"):
        with pytest.raises(UserError, match="is not one assignment of bits"):
            WhatIf.parse(typed).assignment()


def test_in_words():
    typed = "skip:3,5-7+skip-attn:1:t1-9+bits:4=0-9,3=10:g32:sym"
    assert WhatIf.parse(typed).in_words() == (
        "attention of layer 1 skipped at tokens 1 to before 9; layers 3, 5-7 skipped; "
        "4 bits in layers 0-9, 3 bits in layer 10, groups of 32, symmetric"
    )
    assert WhatIf().in_words() == ""


def test_ranges():
    assert ranges([7, 5, 6, 3, 3]) == "3,5-7" and ranges([]) == ""
    assert str(SkipLayers((1, 2))) == "skip:1-2" and str(Quantize(((0, 4),))) == "bits:4=0"
