"""Tables of the comparison, as text and as Markdown."""

import statistics

SPEED = [
    "network",
    "batch",
    "threads",
    "ours_ms",
    "onnxruntime_ms",
    "ratio",
    "quartiles",
    "ratio_of_fastest",
    "others_%",
]
RATES = [
    "network",
    "batch",
    "threads",
    "ours_images/s",
    "onnxruntime_images/s",
    "ours_gflop/s",
    "of_peak_%",
    "onnxruntime_gflop/s",
    "of_peak_%",
]
OUTPUTS = [
    "network",
    "batch",
    "threads",
    "largest_output",
    "output_difference",
    "logit_difference_of_largest",
    "other_classes",
    "classes_seen",
]
LOAD = [
    "network",
    "batch",
    "weights_MB",
    "activations_MB",
    "ours_load_s",
    "ours_pack_s",
    "ours_first_pass_s",
    "ours_peak_MB",
    "limit_MB",
    "onnxruntime_load_s",
    "onnxruntime_first_pass_s",
    "onnxruntime_peak_MB",
]

MEGABYTE = 1e6

# Large networks are to be loaded and evaluated within this many times their weight file, and their activations.
PEAK_BY_WEIGHTS = 2.2


def ratios(rounds):
    """Median and quartiles of onnxruntime's time by ours."""
    values = [theirs / ours for ours, theirs in rounds]
    if len(values) < 2:
        return values * 3
    first, median, third = statistics.quantiles(values, n=4, method="inclusive")
    return median, first, third


def medians(rounds):
    return [statistics.median(side) for side in zip(*rounds)]


def speed_row(row):
    ours, theirs = medians(row["seconds"])
    ratio, first, third = ratios(row["seconds"])
    fastest = row["fastest_seconds"]
    return [
        row["network"],
        row["batch"],
        row["threads"],
        f"{ours * 1e3:.3f}",
        f"{theirs * 1e3:.3f}",
        f"{ratio:.2f}",
        f"{first:.2f} .. {third:.2f}",
        f"{fastest[1] / fastest[0]:.2f}",
        "-" if row["others"] is None else f"{row['others'] * 100:.0f}",
    ]


def rates_row(row, peaks):
    cells = [row["network"], row["batch"], row["threads"]]
    operations = 2e-9 * row["facts"]["macs_per_image"] * row["batch"]
    peak = peaks.get(row["threads"])
    sides = medians(row["seconds"])
    cells += [f"{row['batch'] / seconds:.1f}" for seconds in sides]
    for seconds in sides:
        rate = operations / seconds
        cells += [f"{rate:.1f}", f"{rate / peak * 100:.0f}" if peak else "-"]
    return cells


def outputs_row(row):
    difference = row["difference"]
    return [
        row["network"],
        row["batch"],
        row["threads"],
        f"{difference['largest_output']:.3f}",
        f"{difference['outputs']:.1e}",
        f"{difference['logits']:.1e}",
        difference["other_classes"],
        difference["classes_seen"],
    ]


def load_row(row):
    facts, theirs, size = row["facts"], row["reference_load"], row["weight_file_bytes"]
    peak, activations = facts["peak_resident_bytes"], 4 * facts["blob_words_per_image"] * row["batch"]
    return [
        row["network"],
        row["batch"],
        f"{size / MEGABYTE:.1f}",
        f"{activations / MEGABYTE:.1f}",
        f"{facts['load_seconds']:.3f}",
        f"{facts['compile_and_pack_seconds']:.3f}",
        f"{facts['first_pass_seconds']:.3f}",
        f"{peak / MEGABYTE:.0f}" if peak else "-",
        f"{(PEAK_BY_WEIGHTS * size + activations) / MEGABYTE:.0f}",
        f"{theirs['load_seconds']:.3f}",
        f"{theirs['first_pass_seconds']:.3f}",
        f"{theirs['peak_resident_bytes'] / MEGABYTE:.0f}",
    ]


def tables(result):
    """Title, header and rows of each table."""
    peaks = {row["threads"]: row["gflops"] for row in result["machine"]}
    timed = [row for row in result["rows"] if "seconds" in row]
    found = [("Outputs", OUTPUTS, [outputs_row(row) for row in result["rows"]])]
    if timed:
        loads = [load_row(row) for row in timed if row["threads"] == 1]
        found[:0] = [
            ("Speed", SPEED, [speed_row(row) for row in timed]),
            ("Rates", RATES, [rates_row(row, peaks) for row in timed]),
        ]
        found.append(("Load and the first pass, one thread", LOAD, loads))
    return [table for table in found if table[2]]


def notes(result):
    lines = [
        f"onnxruntime {result['onnxruntime']}; {result['processor']}, {result['cores']} cores; {result['rounds']} rounds"
        f" in turns; load average at the end {result['load_average']:.1f}"
    ]
    for row in result["machine"]:
        lines.append(
            f"peak on {row['threads']} thread(s): {row['gflops']:.1f} GFLOP/s fused multiply-add,"
            f" {row['read_gbytes_per_s']:.1f} GB/s read"
        )
    if "trial_seconds" in result:
        ours, theirs = medians(result["trial_seconds"])
        lines.append(
            f"trial of configs/lenet5.toml, 10,000 images: {ours:.4f} s; onnxruntime's forward pass {theirs:.4f} s;"
            f" {ours / theirs:.2f} of its time"
        )
    return lines


def progress(row):
    difference = row["difference"]
    line = f"{row['row']:24} output difference {difference['outputs']:.1e}, logits {difference['logits']:.1e}"
    if "seconds" in row:
        *_, ours, theirs, ratio, quartiles, fastest, others = speed_row(row)
        line += f"; ours {ours} ms, onnxruntime {theirs} ms, ratio {ratio} ({quartiles}), of the fastest {fastest}"
        line += f"; others {others} %"
    return line


def text(result):
    lines = []
    for title, header, rows in tables(result):
        cells = [[str(cell) for cell in row] for row in [header, *rows]]
        widths = [max(map(len, column)) for column in zip(*cells)]
        lines += ["", title]
        for row in cells:
            # Words to the left, figures to the right.
            lines.append("  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]))
    return "\n".join([*lines, "", *notes(result)])


def markdown(result):
    lines = []
    for title, header, rows in tables(result):
        lines += [f"## {title}", ""]
        lines.append("| " + " | ".join(header) + " |")
        lines.append("|---|" + "---:|" * (len(header) - 1))
        lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
        lines.append("")
    return "\n".join([*lines, *(f"* {line}" for line in notes(result)), ""])
