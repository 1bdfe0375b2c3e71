"""Every published format, written in miniature, opened by its name."""

import csv
import json

import numpy as np
import pytest

from qvlm_qiskit.data import open_data
from qvlm_qiskit.data.registry import find_data
from qvlm_qiskit.errors import InputError, UnknownNameError
from tests.data import miniatures


def words(samples):
    return sorted((s.question, s.answer) for s in samples)


def test_vqa_v2_teaches_the_most_frequent_answer_and_accepts_all_ten(tmp_path):
    miniatures.vqa_v2(tmp_path, "train")
    miniatures.vqa_v2(tmp_path, "val", questions=2)
    name = f"vqa-v2:{tmp_path}"
    train, test = open_data(name, "train"), open_data(name, "test")
    assert words(train) == [(f"Where is {i}?", "down") for i in range(3)]
    assert (len(test), test[0].kind) == (2, "other")
    assert len(test[0].references) == 10
    assert test[0].accepts("at table")
    assert test[0].accepts("Down .")
    assert not test[0].accepts("up")
    with pytest.raises(InputError, match=r"has no validation split: it has train \(train\), test"):
        open_data(name, "validation")


def test_vqa_v2_question_without_annotation_or_picture_is_counted(tmp_path, caplog):
    miniatures.vqa_v2(tmp_path)
    annotations = tmp_path / "v2_mscoco_val2014_annotations.json"
    found = json.loads(annotations.read_text())
    miniatures.write(annotations, {**found, "annotations": found["annotations"][1:]})
    (tmp_path / "val2014" / "COCO_val2014_000000262149.jpg").unlink()
    samples = open_data(f"vqa-v2:{tmp_path}", "test")
    assert len(samples) == 1
    assert samples.skipped.as_dict() == {
        "no annotation": {"rows": 1, "first": "question 262148000"},
        "no image file": {"rows": 1, "first": "question 262148010"},
    }
    assert "skipped 1 × no" in caplog.text


def test_food_101_keeps_its_split_and_its_labels(tmp_path):
    miniatures.food_101(tmp_path)
    name = f"food-101:{tmp_path}"
    assert words(open_data(name, "train")) == [
        ("what food is this?", "apple pie"), ("what food is this?", "waffles"),
    ]  # fmt: skip
    assert [s.sources for s in open_data(name, "test")] == [("waffles/971843",)]
    asked = open_data(f"{name}(ask=which dish, please?)", "test")[0]
    assert asked.question == "which dish, please?"


def test_diffusiondb_keeps_pictures_of_a_prompt_together(tmp_path):
    names = miniatures.diffusiondb(tmp_path)
    parts = {s: open_data(f"diffusiondb:{tmp_path}", s) for s in ("train", "validation", "test")}
    prompts = {split: {s.answer for s in found} for split, found in parts.items()}
    assert sum(map(len, parts.values())) == len(names)
    assert sum(map(len, prompts.values())) == len(names) / 2
    assert "prompt 0, 4 k," in set.union(*prompts.values())


def test_diffusiondb_skips_what_is_blurred(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet as parquet

    names = miniatures.diffusiondb(tmp_path)
    unsafe = [2.0 if i == 5 else 0.1 for i in range(len(names))]
    table = pyarrow.table({"image_name": names, "image_nsfw": unsafe})
    parquet.write_table(table, tmp_path / "metadata.parquet")
    found = [open_data(f"diffusiondb:{tmp_path}", s) for s in ("train", "validation", "test")]
    skipped = [why for samples in found for why in samples.skipped.as_dict().items()]
    assert skipped == [("blurred as unsafe for work", {"rows": 1, "first": names[5]})]


def test_coco_captions_are_all_accepted_and_each_is_taught(tmp_path):
    miniatures.coco_captions(tmp_path, "train")
    miniatures.coco_captions(tmp_path, "val")
    train, test = (open_data(f"captions:{tmp_path}", split) for split in ("train", "test"))
    assert (len(train), len(test)) == (15, 3)
    assert len({s.answer for s in train}) == 15
    assert len(test[0].references) == 5
    assert test[0].kind == "caption"
    assert test[0].accepts(test[0].references[4])


def test_karpathys_splits_are_kept_and_restval_is_for_training(tmp_path):
    miniatures.karpathy(tmp_path)
    name = f"captions:{tmp_path}"
    assert sorted(s.answer for s in open_data(name, "train")) == [
        "A dog 0 .", "A dog 1 .", "The dog 0", "The dog 1",
    ]  # fmt: skip
    assert [s.answer for s in open_data(name, "validation")] == ["A dog 2 ."]
    (test,) = open_data(name, "test")
    assert test.references == ("A dog 3 .", "The dog 3")
    assert np.asarray(test.image)[0, 0, 0] == pytest.approx(180, abs=2)


@pytest.mark.parametrize("form", ["token", "csv"])
def test_flickr30k_is_divided_by_picture(tmp_path, form):
    miniatures.flickr30k(tmp_path, form)
    parts = [open_data(f"captions:{tmp_path}", s) for s in ("train", "validation", "test")]
    pictures = [{s.sources for s in part} for part in parts]
    assert sum(map(len, pictures)) == len(set.union(*pictures)) == 30
    assert len(parts[0]) == 2 * len(pictures[0])
    assert parts[0][0].answer.startswith("Two young guys ")


def test_nlvr_has_a_statement_for_each_order_of_its_boxes(tmp_path):
    miniatures.nlvr(tmp_path)
    train = open_data(f"nlvr:{tmp_path}", "train")
    assert (len(train), {s.answer for s in train}) == (12, {"true", "false"})
    assert len(open_data(f"nlvr:{tmp_path}(orders=1)", "validation")) == 2
    with pytest.raises(InputError, match="orders of nlvr are 1 … 6, got 7"):
        open_data(f"nlvr:{tmp_path}(orders=7)", "test")


def test_grocery_asks_two_questions_about_a_photograph(tmp_path):
    miniatures.grocery(tmp_path)
    assert words(open_data(f"grocery:{tmp_path}", "test")) == [
        ("what kind of product is this?", "apple"),
        ("what kind of product is this?", "banana"),
        ("which product is this?", "banana"),
        ("which product is this?", "golden delicious"),
    ]
    coarse = open_data(f"grocery:{tmp_path}(kinds=coarse)", "validation")
    assert [s.kind for s in coarse] == ["coarse", "coarse"]


def test_a_folder_of_labels_without_splits(tmp_path):
    miniatures.image_folder(tmp_path)
    parts = {s: open_data(f"folder:{tmp_path}", s) for s in ("train", "test")}
    assert {s.answer for s in parts["train"]} == {"red apple", "pear"}
    assert 10 < len(parts["train"]) < 24
    assert find_data(f"folder:{tmp_path}").questions == {}
    assert parts["train"].questions() == {"label": "what is this?"}


def test_a_folder_with_splits_keeps_them(tmp_path):
    miniatures.image_folder(tmp_path, each=2, splits=("train", "val", "test"))
    for split in ("train", "validation", "test"):
        assert len(open_data(f"folder:{tmp_path}", split)) == 4


def test_a_folder_with_captions_beside_its_pictures(tmp_path):
    for split in ("train", "test"):
        miniatures.picture(tmp_path / split / "a.png", 1)
        line = {"file_name": "a.png", "captions": ["a dog", "the dog"]}
        miniatures.write(tmp_path / split / "metadata.jsonl", json.dumps(line))
    assert sorted(s.answer for s in open_data(f"folder:{tmp_path}", "train")) == [
        "a dog", "the dog",
    ]  # fmt: skip
    (test,) = open_data(f"folder:{tmp_path}", "test")
    assert (test.question, test.references) == ("describe the image.", ("a dog", "the dog"))


def rows_of_a_table(folder):
    """Two pictures, one asked twice, with official splits."""
    miniatures.picture(folder / "a.png", 1)
    miniatures.picture(folder / "b.png", 2)
    return [
        {"file_name": "a.png", "question": "which?", "answer": "one", "split": "train"},
        {"file_name": "a.png", "question": "what, else?", "answer": "un", "split": "train"},
        {"file_name": "b.png", "question": "which?", "answer": "two", "split": "test"},
    ]


@pytest.mark.parametrize("ending", ["csv", "tsv", "json", "jsonl", "parquet"])
def test_a_table_of_every_kind(tmp_path, ending):
    rows, path = rows_of_a_table(tmp_path), tmp_path / f"mine.{ending}"
    if ending in ("csv", "tsv"):
        with path.open("w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, list(rows[0]), delimiter="\t" if ending == "tsv" else ",")
            table.writeheader()
            table.writerows(rows)
    elif ending == "parquet":
        pyarrow = pytest.importorskip("pyarrow")
        import pyarrow.parquet as parquet

        for row in rows:
            row["file_name"] = {"bytes": (tmp_path / row["file_name"]).read_bytes(), "path": "x"}
        parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    else:
        lines = json.dumps(rows) if ending == "json" else "\n".join(map(json.dumps, rows))
        path.write_text(lines, encoding="utf-8")
    assert words(open_data(f"table:{path}", "train")) == [("what, else?", "un"), ("which?", "one")]
    (test,) = open_data(f"table:{path}", "test")
    assert (test.answer, np.asarray(test.image)[0, 0, 0]) == ("two", 2)


def test_a_folder_of_tables_is_split_by_their_names(tmp_path):
    rows = rows_of_a_table(tmp_path)
    for name, part in (("train-00000-of-00002", rows[:1]), ("train-00001-of-00002", rows[1:2]),
                       ("validation", rows[2:])):  # fmt: skip
        for row in part:
            row.pop("split")
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, part)))
    assert len(open_data(f"table:{tmp_path}", "train")) == 2
    assert len(open_data(f"table:{tmp_path}", "test")) == 1


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """A folder in the Hub's layout, with a class label; and the same as ``save_to_disk``."""
    datasets = pytest.importorskip("datasets")
    from PIL import Image

    root = tmp_path_factory.mktemp("hub")
    shades = [Image.fromarray(np.full((9, 9, 3), 20 * i, dtype=np.uint8)) for i in range(6)]
    rows = [{"photo": p, "kind_of": i % 3, "words": f"shade {i}"} for i, p in enumerate(shades)]
    names = ["red", "green", "blue"]
    features = datasets.Features(
        {"photo": datasets.Image(), "kind_of": datasets.ClassLabel(names=names),
         "words": datasets.Value("string")}
    )  # fmt: skip
    made = datasets.Dataset.from_list(rows, features=features)
    (root / "repo" / "data").mkdir(parents=True)
    made.to_parquet(root / "repo" / "data" / "train-00000-of-00001.parquet")
    made.select([0, 1]).to_parquet(root / "repo" / "data" / "validation-00000-of-00001.parquet")
    datasets.DatasetDict({"train": made, "test": made.select([2])}).save_to_disk(root / "saved")
    return root


def test_a_data_set_in_the_hubs_layout(hub):
    name = f"hub:{hub / 'repo'}(image=photo,answer=kind_of)"
    assert sorted(s.answer for s in open_data(name, "train")) == sorted(
        2 * ["red", "green", "blue"]
    )
    assert [s.answer for s in open_data(f"{name[:-1]},rows=1)", "test")] == ["red"]
    (saved,) = open_data(f"hub:{hub / 'saved'}(image=photo,caption=words)", "test")
    assert (saved.answer, np.asarray(saved.image)[0, 0, 0]) == ("shade 2", 40)


def test_rows_that_the_library_has_kept_open_without_the_hub(hub, tmp_path, monkeypatch):
    import datasets
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
    name = "hub:some-owner/Repo(image=photo,answer=kind_of)"
    with pytest.raises(InputError, match="no such folder, and the Hub can't be asked"):
        open_data(name, "train")
    datasets.load_dataset(str(hub / "repo"), cache_dir=str(tmp_path))
    (tmp_path / "repo").rename(tmp_path / "some-owner___repo")
    assert sorted(s.answer for s in open_data(name, "train")) == sorted(
        2 * ["red", "green", "blue"]
    )


def test_hugging_faces_parquet_tells_the_names_of_classes_to_a_table_too(hub):
    name = f"table:{hub / 'repo'}(image=photo,answer=kind_of)"
    assert sorted(s.answer for s in open_data(name, "test")) == ["green", "red"]


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("vqa-v2", {"v2_OpenEnded_mscoco_val2014_questions.json":
                        {"questions": [{"question_id": 1}]},
                    "v2_mscoco_val2014_annotations.json": {"annotations": [{"question_id": 1}]}}),
        ("captions", {"captions_val2017.json": {"annotations": [{"image_id": 1}],
                                                "images": [{"id": 1}]}}),
        ("nlvr", {"test/test.json": {"a": 1}}),
        ("diffusiondb", {"part-000001.json": []}),
        ("food-101", {"meta/test.json": []}),
    ],
)  # fmt: skip
def test_files_of_another_format_are_said_in_one_line(tmp_path, name, files):
    for path, content in files.items():
        miniatures.write(tmp_path / path, content)
    with pytest.raises(InputError, match="is of another format than a folder with"):
        open_data(f"{name}:{tmp_path}", "test")


def test_folders_beside_splits_are_said_not_to_be_read(tmp_path, caplog):
    miniatures.image_folder(tmp_path, each=1, splits=("train", "test"))
    miniatures.picture(tmp_path / "more" / "1.png", 1)
    assert len(open_data(f"folder:{tmp_path}", "train")) == 2
    assert "beside its splits, more is not read" in caplog.text


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("folder", InputError, "folder is read from a folder of pictures"),
        ("folder:{}/gone", InputError, "nothing at .*gone: folder is read from"),
        ("folder:{}", InputError, "holds no pictures in a subfolder for each label"),
        ("table:{}", InputError, "holds no table"),
        ("vqa-v2:{}", InputError, "holds no v2_OpenEnded_mscoco_val2014_questions.json"),
        ("food-101:{}", InputError, "neither meta/train.json nor meta/test.json"),
        ("diffusiondb:{}", InputError, "holds no part-000001.json"),
        ("captions:{}", InputError, r"holds none of dataset\*.json"),
        ("nlvr:{}", InputError, "holds none of train/train.json"),
        ("grocery:{}", InputError, "holds no classes.csv"),
        ("digits:{}", InputError, "digits takes no place and no options"),
        ("foldr:{}", UnknownNameError, "did you mean 'folder'"),
        ("folder:{}(aks=x)", UnknownNameError, "did you mean 'ask'"),
        ("folder:{}(strict=maybe)", UnknownNameError, "value of strict"),
        ("grocery:{}(kinds=middle)", InputError, "kinds of grocery are fine and coarse"),
        ("hub:{}(rows=none)", InputError, "rows of hub is a number"),
    ],
)
def test_what_is_not_there_is_said_in_one_line(tmp_path, name, error, said):
    with pytest.raises(error, match=said) as raised:
        open_data(name.format(tmp_path), "test")
    assert "\n" not in str(raised.value)
