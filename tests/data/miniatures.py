"""Published data sets in miniature, as their authors lay them out, with pictures of one colour.

Each function fills a folder; the colour of a picture tells which one it is.
"""

import csv
import json

import numpy as np
from PIL import Image


def picture(path, shade):
    """An image file of one colour, 12 × 10 pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((10, 12, 3), shade, dtype=np.uint8)).save(path)
    return path


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")


def vqa_v2(root, split="val", questions=3):
    asked, answered = [], []
    for i in range(questions):
        image, number = 262148 + i, 262148000 + 10 * i
        picture(root / f"{split}2014" / f"COCO_{split}2014_{image:012d}.jpg", 40 * i)
        asked.append({"image_id": image, "question": f"Where is {i}?", "question_id": number})
        people = ["down"] * 6 + ["table", "at table", "down.", "Down"]
        answered.append(
            {
                "question_type": "where is the",
                "multiple_choice_answer": "down",
                "answers": [
                    {"answer": text, "answer_confidence": "yes", "answer_id": k}
                    for k, text in enumerate(people, 1)
                ],
                "image_id": image,
                "answer_type": "other",
                "question_id": number,
            }
        )
    about = {"info": {"version": "2.0"}, "license": {}, "data_type": "mscoco"}
    about["data_subtype"] = f"{split}2014"
    questions_file = root / f"v2_OpenEnded_mscoco_{split}2014_questions.json"
    write(questions_file, {**about, "task_type": "Open-Ended", "questions": asked})
    annotations = root / f"v2_mscoco_{split}2014_annotations.json"
    write(annotations, {**about, "annotations": answered})


def food_101(root):
    parts = {
        "train": {"apple_pie": ["apple_pie/1005649"], "waffles": ["waffles/1"]},
        "test": {"waffles": ["waffles/971843"]},
    }
    for split, classes in parts.items():
        write(root / "meta" / f"{split}.json", classes)
        for pictures in classes.values():
            for name in pictures:
                picture(root / "images" / f"{name}.jpg", 50)
    write(root / "meta" / "classes.txt", "apple_pie\nwaffles\n")
    write(root / "meta" / "labels.txt", "Apple pie\nWaffles\n")


def diffusiondb(root, prompts=40):
    part, about = root / "images" / "part-000001", {}
    for i in range(prompts):
        for k in range(2):  # each prompt draws two pictures
            name = f"f3501e05-aef7-4225-a9e9-{i:06d}{k:06d}.png"
            picture(part / name, i)
            about[name] = {"p": f"prompt {i}, 4 k, ", "se": k, "c": 12.0, "st": 50, "sa": "k_lms"}
    write(part / "part-000001.json", about)
    return list(about)


def coco_captions(root, split="val"):
    images, annotations = [], []
    for i in range(3):
        name = f"{391895 + i:012d}.jpg"
        picture(root / f"{split}2017" / name, 60 * i)
        images.append({"id": i, "file_name": name, "license": 3, "flickr_url": "http://…"})
        for k in range(5):
            caption = f"A man {i} with a red helmet, {k}. "
            annotations.append({"image_id": i, "id": 5 * i + k, "caption": caption})
    found = {"info": {}, "licenses": [], "images": images, "annotations": annotations}
    write(root / "annotations" / f"captions_{split}2017.json", found)


def karpathy(root):
    images = []
    for i, split in enumerate(("train", "restval", "val", "test")):
        name = f"COCO_val2014_{i:012d}.jpg"
        picture(root / "val2014" / name, 60 * i)
        raw = [f"A dog {i} .", f"The dog {i}"]
        sentences = [{"tokens": t.split(), "raw": t, "imgid": i, "sentid": k}
                     for k, t in enumerate(raw)]  # fmt: skip
        images.append({"filepath": "val2014", "filename": name, "imgid": i, "cocoid": i,
                       "sentids": [0, 1], "sentences": sentences, "split": split})  # fmt: skip
    write(root / "dataset_coco.json", {"images": images, "dataset": "coco"})


def flickr30k(root, form="token", pictures=30):
    lines = []
    for i in range(pictures):
        name = f"{1000092795 + i}.jpg"
        picture(root / "flickr30k-images" / name, i)
        for k in range(2):
            text = f"Two young guys {i} , {k} ."
            lines.append(f"{name}#{k}\t{text}" if form == "token" else f"{name}| {k}| {text}")
    if form == "token":
        write(root / "results_20130124.token", "\n".join(lines))
    else:
        write(root / "results.csv", "\n".join(["image_name| comment_number| comment", *lines]))


def nlvr(root):
    for split in ("train", "dev", "test"):
        lines = []
        for i, label in enumerate(("true", "false")):
            name = f"{split}-{i}"
            for k in range(6):
                picture(root / split / "images" / "0" / f"{split}-{i}-{k}.png", 10 * k)
            lines.append(json.dumps({"sentence": f"There is a {name} tower.", "label": label,
                                     "identifier": str(i), "directory": "0"}))  # fmt: skip
        write(root / split / f"{split}.json", "\n".join(lines))


def grocery(root):
    with (root / "classes.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["Class Name (str)", "Class ID (int)", "Coarse Class Name (str)",
                       "Coarse Class ID (int)", "Iconic Image Path (str)",
                       "Product Description Path (str)"])  # fmt: skip
        rows.writerow(["Golden-Delicious", 0, "Apple", 0, "/i.jpg", "/d.txt"])
        rows.writerow(["Banana", 5, "Banana", 2, "/i.jpg", "/d.txt"])
    for split in ("train", "val", "test"):
        lines = []
        for fine, coarse in ((0, 0), (5, 2)):
            path = f"{split}/Fruit/{fine}_001.jpg"
            picture(root / path, 90 + fine)
            lines.append(f"{path}, {fine}, {coarse}")
        write(root / f"{split}.txt", "\n".join(lines))


def image_folder(root, labels=("red_apple", "pear"), each=12, splits=("",)):
    for s, split in enumerate(splits):
        for k, label in enumerate(labels):
            for i in range(each):
                picture(root / split / label / f"{i}.png", 80 * s + 40 * k + i)
