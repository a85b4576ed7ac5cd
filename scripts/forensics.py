"""Prints as Markdown what the records of a results folder show beyond the paper's tables.

    python scripts/forensics.py results/paper

Standard library only. If the samples are available, the invariants of the pairs are checked on them too.
"""

import argparse
import array
import json
import struct
from collections import Counter, defaultdict
from math import sqrt
from pathlib import Path


def records(store, kind):
    for path in sorted(store.glob(f"{kind}/**/*.json")):
        record = json.loads(path.read_text())
        record["folder"] = path.parent
        yield record


def wilson(hits, of):
    """The 95 % interval of a rate, in percent."""
    if not of:
        return "–"
    z, p = 1.959964, hits / of
    middle, half = p + z * z / (2 * of), z * sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    scale = 100 / (1 + z * z / of)
    low, high = max(0, (middle - half) * scale), min(100, (middle + half) * scale)
    # The interval of many trials can be narrower than a tenth of a percent.
    digits = 1 if high - low >= 0.1 else 2
    return f"{hits}/{of} = {100 * p:.1f} % [{low:.{digits}f}, {high:.{digits}f}]"


def total(rates):
    rates = list(rates)
    return sum(rate["hits"] for rate in rates), sum(rate["of"] for rate in rates)


def leaves(spec, path=""):
    """The fields of a specification, with their dotted paths."""
    for name, value in spec.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{path}{name}.")
        else:
            yield path + name, value


def name_all(sets):
    """Names each set of one target: the generator, and the fields that differ from other sets of the generator. Sets that differ in
    more than the seed must not be pooled."""
    for generator in {one["generator"] for one in sets}:
        kin = [one for one in sets if one["generator"] == generator]
        kinds = [dict(leaves(one["spec"])) | {"head_balance": one.get("head_balance")} for one in kin]
        telling = sorted({path for kind in kinds for path in kind if any(other.get(path) != kind[path] for other in kinds)})
        if generator == "aid" and not telling and kinds[0]["stage1.lr"] != 1e-3:
            telling = ["stage1.lr"]
        for one, kind in zip(kin, kinds):
            said = {path: kind.get(path) for path in telling if path != "head_balance" or kind[path]}
            if generator == "ours" and set(said) == {"activation_weight"}:
                name = "ours" if said["activation_weight"] else "ours without the magnitude term"
            elif generator == "aid" and set(said) == {"stage1.lr"}:
                name = "aid" if said["stage1.lr"] == 1e-3 else f"aid at steps of {said['stage1.lr']:g}"
            else:
                fields = ", ".join(f"{path} {value}" for path, value in said.items())
                name = f"{generator} ({fields})" if fields else generator
            one["name"] = name
    # Sets with the same fields and the same seed have different keys.
    known = Counter((one["name"], one["seed"]) for one in sets)
    for one in sets:
        if known[(one["name"], one["seed"])] > 1:
            one["name"] += f" {one['id']}"


def length(spec):
    """The length of a fine-tuning; empty for one epoch with batches of 128."""
    if spec.get("steps"):
        return f"in {spec['steps']} steps"
    if (spec["epochs"], spec["batch"]) != (1, 128):
        return f"in {spec['epochs']:g} epochs of batches of {spec['batch']}"
    return ""


def setting(run):
    """An attack's name with its main settings."""
    spec = run["spec"]
    names = {"finetune": ["optimizer", "batch_norm", "lr"], "prune": ["criterion", "scope", "rate"], "quantize": ["bits", "granularity", "scheme", "what"]}
    words = [spec[name] for name in names.get(run["attack"], [])]
    words += [length(spec)] if run["attack"] == "finetune" and length(spec) else []
    return " ".join([run["attack"], *(f"{word:g}" if isinstance(word, float) else str(word) for word in words)])


def images(path):
    """The images of a set, one array of pixels each; None if the samples are not available."""
    if not path.exists():
        return None
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    (entry,) = [entry for name, entry in header.items() if isinstance(entry, dict) and len(entry.get("shape", [])) == 4]
    begin, end = entry["data_offsets"]
    pixels = array.array("f", data[8 + length + begin : 8 + length + end])
    size = len(pixels) // entry["shape"][0]
    return [pixels[i : i + size] for i in range(0, len(pixels), size)]


def balance(sets, runs):
    print("### Label balance of DBI and AID\n")
    print("Where all labels are equal after a run, the samples that flipped are those that had the other label: the rate is the share of a label, whatever the attack was.\n")
    print("| samples | labels 0 : 1 | runs after which all labels were equal | of them fine-tunings with Adam, 1e-10 to 1e-4 | samples that flipped then (runs) |")
    print("| :--- | ---: | ---: | ---: | ---: |")
    for one in sets:
        if one["generator"] not in ("dbi", "aid") or one["label_space"] != "head":
            continue
        asked = [run for run in runs if run["set"] == one["id"] and run["attack"] != "identity"]
        same = [run for run in asked if run["same_label"]]
        tuned = [run for run in asked if run["attack"] == "finetune" and run["spec"]["optimizer"] == "adam" and run["spec"]["batch_norm"] == "eval" and 0 < run["spec"]["lr"] < 5e-4]
        flipped = Counter(run["single"]["hits"] for run in same)
        labels = " : ".join(map(str, one["label_balance"]))
        counts = ", ".join(f"{hits} ({count})" for hits, count in sorted(flipped.items())) or "–"
        print(f"| {one['name']}, set {one['seed']} | {labels} | {len(same)} of {len(asked)} | {sum(run in same for run in tuned)} of {len(tuned)} | {counts} |")
    print()


def together(names, runs):
    kinds = sorted({name for name in names.values() if name.startswith("ours")})
    kind = "ours" if "ours" in kinds else kinds[0] if kinds else None
    if kind is None:
        return
    print("### Members of a pair that flip together\n")
    print(f"`{kind}`, by attack: pairs of which at least one member flipped, and those of which both did; by the keyed head's two labels and by the network's own classes.\n")
    print("| attack | head: pair | head: both | classes: pair | classes: both |")
    print("| :--- | ---: | ---: | ---: | ---: |")
    by = defaultdict(list)
    for run in runs:
        if names[run["set"]] == kind and run["attack"] != "identity":
            by[setting(run)].append(run)
    strength = lambda spec: next((spec[name] for name in ("lr", "rate", "bits") if name in spec), 0)
    order = lambda name, run: (name.split(" in ")[0].rsplit(" ", 1)[0], strength(run["spec"]), run["steps"])
    for name, group in sorted(by.items(), key=lambda item: order(item[0], item[1][0])):
        pairs, of = total(run["pair"] for run in group)
        both = sum(run["both"] for run in group)
        classes = [run["classes"] for run in group if run.get("classes")]
        by_class, of_class = total(answer["pair"] for answer in classes)
        both_class = sum(answer["both"] for answer in classes)
        print(f"| {name} | {pairs}/{of} | {both} | {by_class}/{of_class} | {both_class} |")
    print()


def moved(names, runs):
    print("### Weights that fine-tuning moved, and the pairs that noticed\n")
    kinds = sorted({name for name in names.values() if name.startswith("ours")})
    print(f"| fine-tuning | models | weights changed, % | largest change | {' | '.join(kinds)} |")
    print(f"| :--- | ---: | ---: | ---: |{' ---: |' * len(kinds)}")
    by = defaultdict(list)
    for run in runs:
        if run["attack"] == "finetune":
            spec = run["spec"]
            by[(spec["optimizer"], spec["batch_norm"], spec["lr"], run["steps"], length(spec))].append(run)
    for (optimizer, norm, lr, _, how), group in sorted(by.items()):
        models = {run["seed"]: run["change"] for run in group}.values()
        share = 100 * sum(change["changed"] for change in models) / sum(change["weights"] for change in models)
        largest = max(change["max_abs"] for change in models)
        noticed = [wilson(*total(run["pair"] for run in group if names[run["set"]] == kind)) for kind in kinds]
        print(f"| {optimizer}, batch norm {norm}, {lr:g} {how}".rstrip() + f" | {len(models)} | {share:.3g} | {largest:.1e} | {' | '.join(noticed)} |")
    print()


def alarms(sets, runs):
    print("### False alarms\n")
    # Each sample counts once, even if it was queried several times.
    flipped = [{sample for control in one["controls"] for sample in control.get("flipped", [])} for one in sets]
    most = [max(control["single"]["hits"] for control in one["controls"]) for one in sets]
    of = sum(one["controls"][0]["single"]["of"] for one in sets)
    hits = sum(max(len(which), least) for which, least in zip(flipped, most))
    print(f"Untouched model asked again: {wilson(hits, of)} of the samples changed their label.")
    for name, chosen in [
        ("`identity`", [run for run in runs if run["attack"] == "identity"]),
        ("learning rate 0, statistics of batch normalisation left alone", [run for run in runs if run["attack"] == "finetune" and run["spec"]["lr"] == 0 and run["spec"]["batch_norm"] == "eval"]),
    ]:
        print(f"After {name}: {wilson(*total(run['single'] for run in chosen))}.")
    print()


def invariants(sets):
    lines = []
    for one in sets:
        seen = images(one["folder"] / "set.safetensors") if one["layout"] == "pairs" else None
        if seen:
            pairs = list(zip(seen[::2], seen[1::2]))
            largest = max(abs(a - b) for pair in pairs for a, b in zip(*pair))
            inside = all(0 <= value <= 1 for image in seen for value in image)
            alpha = one["spec"]["stage2"]["alpha"]
            lines.append(
                f"| {one['name']}, set {one['seed']} | {one['made']} of {one['asked']} | {alpha:g} | {largest:.3e} | {'yes' if inside else 'NO'} | {' : '.join(map(str, one['label_balance']))} |"
            )
    if lines:
        print("### Pairs\n")
        print("| samples | made | alpha | largest difference of a pixel | all in [0, 1] | labels 0 : 1 |")
        print("| :--- | ---: | ---: | ---: | ---: | ---: |")
        print("\n".join(lines) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    store = parser.parse_args().results / "store"
    if not any(store.glob("runs/*.json")):
        parser.error(f"{store} has no records of runs; name a results folder, such as results/paper")
    sets, runs = list(records(store, "sets")), list(records(store, "runs"))
    for target in records(store, "targets"):
        its_sets = [one for one in sets if one["target"] == target["id"]]
        name_all(its_sets)
        its_sets.sort(key=lambda one: (one["name"], one["seed"]))
        its_runs = [run for run in runs if run["target"] == target["id"]]
        names = {one["id"]: one["name"] for one in its_sets}
        if not its_runs:
            continue
        print(f"## Records: {target['dataset_title']}, {target['model']}\n")
        invariants(its_sets)
        alarms(its_sets, its_runs)
        balance(its_sets, its_runs)
        together(names, its_runs)
        moved(names, its_runs)


if __name__ == "__main__":
    main()
