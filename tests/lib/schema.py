#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""schema.py WEIR CORPUS SEED COUNT: do `weir check` and the JSON Schema of `weir schema` agree?

Each document of CORPUS/good.yaml and CORPUS/bad.yaml is given to both, and each good file of the
unit tests. Then good documents are
changed at random, COUNT times: what the schema refuses, weir must refuse as well, and a key that
nobody knows both. (The other way round is not asked: which values fit together is weir's alone.)
Prints a line per disagreement, and at last how many texts were tried.
"""
import copy
import glob
import json
import random
import re
import subprocess
import sys
import tempfile

import jsonschema
import yaml

JUNK = [-1, 0, 1, 255, 256, 65536, 1.5, True, "", "x", "x y", "/x", "*.example.com", "10.0.0.1",
        "10.0.0.1:80", "10.0.0.0/8", "2001:db8::1", "500ms", "2s", "2s-3s", "10m", "1d", "100/s", "80,443",
        "7000-7099", "~^a", "~", "GET", "tcp", "none", "404", [], {}, ["x"], {"a": "b"}, ["10.0.0.1"]]


class Core(yaml.SafeLoader):
    """Makes numbers, bools and null of what YAML 1.2 does, as editors have it."""
    yaml_implicit_resolvers = {}


for tag, pattern in (("bool", "true|false"), ("int", "-?(0|[1-9][0-9]*)"),
                     ("float", r"-?[0-9]+\.[0-9]+"), ("null", "null|~|")):
    Core.add_implicit_resolver("tag:yaml.org,2002:" + tag, re.compile(f"^(?:{pattern})$"), None)


def documents(corpus, name):
    with open(f"{corpus}/{name}.yaml", encoding="utf-8") as file:
        texts = file.read().split("\n---\n")[1:]
    for path in sorted(glob.glob(f"{corpus}/../unit/config/{name}/*.yaml")) if name == "good" else []:
        with open(path, encoding="utf-8") as file:
            texts.append(file.read())
    return texts


def check(weir, text):
    """Does `weir check` accept it? With what it says."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        run = subprocess.run([weir, "check", file.name], capture_output=True, text=True, check=False)
    if run.returncode not in (0, 65):
        sys.exit(f"weir check exits {run.returncode}: {run.stderr}\n{text}")
    return run.returncode == 0, run.stderr


def has_null(value):
    """YAML makes null of the word and of no value at all; weir takes the word, a schema neither."""
    if isinstance(value, (dict, list)):
        return any(map(has_null, value.values() if isinstance(value, dict) else value))
    return value is None


def places(value):
    """All (container, key) in it."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        yield value, key
        if isinstance(item, (dict, list)):
            yield from places(item)


def change(document):
    """A changed copy, and whether a key was added that nobody knows."""
    changed = copy.deepcopy(document)
    container, key = random.choice(list(places(changed)))
    how = random.randrange(8)
    if how == 0:
        del container[key]
    elif how == 1 and isinstance(container.get(key) if isinstance(container, dict) else None, dict):
        container[key]["bogus"] = 1
        return changed, key not in ("header", "query", "cookie", "add_header")
    else:
        container[key] = random.choice(JUNK)
    return changed, False


def main():
    weir, corpus, seed, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    schema = json.loads(subprocess.run([weir, "schema"], capture_output=True, check=True).stdout)
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    goods, tried, refused = [], 0, 0
    for name, wanted in (("good", True), ("bad", False)):
        for text in documents(corpus, name):
            value = yaml.load(text, Core)
            if has_null(value):
                continue
            goods += [value] if wanted else []
            accepted, said = check(weir, text)
            valid = validator.is_valid(value)
            tried += 1
            if accepted != wanted or valid != wanted:
                print(f"{name}: weir {accepted}, schema {valid}: {text}\n{said}")
                for error in validator.iter_errors(value):
                    print("  schema:", error.json_path, error.message[:200])
    random.seed(seed)
    for _ in range(count):
        value, unknown = change(random.choice(goods))
        text = json.dumps(value)
        accepted, said = check(weir, text)
        valid = validator.is_valid(value)
        tried += 1
        refused += not valid
        if (accepted and not valid) or (unknown and (accepted or valid)):
            print(f"changed: weir {accepted}, schema {valid}: {text}\n{said}")
    print(f"{tried} texts, {refused} changed ones refused by the schema")


main()
