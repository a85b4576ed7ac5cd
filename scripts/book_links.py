#!/usr/bin/env python3
"""Preprocessor of mdbook: turns links out of `docs` into links to the repository, because the book holds only `docs`.

In the Markdown files they stay relative, so that they also work in a checkout.
"""

import json
import re
import sys

REPOSITORY = "https://github.com/brink-ml/brink/blob/main/"


def mend(items):
    for item in items:
        chapter = item.get("Chapter") if isinstance(item, dict) else None
        if chapter:
            chapter["content"] = re.sub(r"\]\(\.\./", f"]({REPOSITORY}", chapter["content"])
            mend(chapter["sub_items"])


if sys.argv[1:2] != ["supports"]:
    _, book = json.load(sys.stdin)
    mend(book["items"])
    json.dump(book, sys.stdout)
