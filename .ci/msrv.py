"""Reads `cargo metadata` and fails if a dependency states a minimum Rust version above the given one."""
import json
import sys


def version(text):
    return tuple(int(part) for part in (text.split(".") + ["0", "0"])[:3])


limit = version(sys.argv[1])
packages = json.load(sys.stdin)["packages"]
newer = [p for p in packages if p.get("rust_version") and version(p["rust_version"]) > limit]
for package in newer:
    print(f"{package['name']} {package['version']} needs Rust {package['rust_version']}", file=sys.stderr)
print(f"{len(packages)} packages, {len(newer)} need a newer Rust than {sys.argv[1]}")
sys.exit(1 if newer else 0)
