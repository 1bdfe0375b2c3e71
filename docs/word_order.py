"""Captions in their own order, and others with their words shuffled: a table for ``--data``.

    python docs/word_order.py annotations/captions_val2017.json order

reads COCO's captions and writes order/order.jsonl: the first eight words of each caption as a
question, "yes" where they stand in their own order and "no" where they don't, half of them each. No
word and no set of words says which it is. Captions of one photograph are in one split. A table of
pictures needs a picture: all rows have the same black dot.
"""

import json
import random
import re
import sys
from pathlib import Path

from PIL import Image

WORDS = 8


def rows(captions):
    """Every caption once, in its own order or shuffled by a coin."""
    coin = random.Random(0)
    for one in captions:
        own = re.findall(r"\w+", one["caption"].lower())[:WORDS]
        shown = list(own)
        if len(set(own)) > 1 and coin.random() < 0.5:
            while shown == own:
                coin.shuffle(shown)
        held_out = random.Random(one["image_id"]).random() < 0.2
        yield {
            "image": "dot.png",
            "question": " ".join(shown),
            "answer": "yes" if shown == own else "no",
            "split": "test" if held_out else "train",
        }


def main(source, out):
    """Write the table and its picture."""
    out.mkdir(parents=True, exist_ok=True)
    Image.new("L", (1, 1)).save(out / "dot.png")
    captions = json.loads(source.read_text(encoding="utf-8"))["annotations"]
    text = "\n".join(json.dumps(row) for row in rows(captions))
    (out / "order.jsonl").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
