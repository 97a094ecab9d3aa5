"""Names of the 1000 ImageNet classes, from the lists that timm carries."""

from pathlib import Path


def class_names(timm: Path) -> list[str]:
    """WordNet's words for class 0 to 999, e.g. `tench, Tinca tinca`.

    Parameters
    ----------
    timm : the folder that holds the files taken from the timm package.
    """
    lists = timm / "timm" / "data" / "_info"
    synsets = (lists / "imagenet_synsets.txt").read_text(encoding="utf-8").split()
    words = {}
    for line in (lists / "imagenet_synset_to_lemma.txt").read_text(encoding="utf-8").splitlines():
        synset, _, names = line.partition("\t")
        words[synset] = names.strip()
    return [words[synset] for synset in synsets]
