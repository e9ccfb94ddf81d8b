#!/usr/bin/python3
"""Writes the bill of materials of a build: CycloneDX 1.5, JSON.

    sbom.py --build DIR [--output FILE] [--packages]

Nothing in it is kept by hand. The linker's map says which archives and objects gave the program a
section, the loader which shared libraries it wants, ninja which headers were compiled into it and which
scripts the page was made of; dpkg says whose files those are, a wrap file which source was pinned. Licences are those that
packaging/debian/copyright states for these very files, and a file that it does not state one for
is an error. Two builds of the same sources on the same packages give the same bytes: the only time
is SOURCE_DATE_EPOCH's, and the serial number is a hash of the rest.

--packages prints NAME VERSION of each Debian package in it, then NAME VERSION SUITE of each source,
for ./dev audit; of npm's there is nobody to ask.
"""

import argparse
import configparser
import fnmatch
import json
import os
import re
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).resolve().parent.parent
COPYRIGHT = ROOT / "packaging" / "debian" / "copyright"
SPDX = {
    "Apache-2.0": "Apache-2.0", "BSD-3-clause": "BSD-3-Clause", "Expat": "MIT", "ISC": "ISC",
    "GPL-3+": "GPL-3.0-or-later", "GPL-2+": "GPL-2.0-or-later", "LGPL-2.1+": "LGPL-2.1-or-later",
    "LGPL-2.1": "LGPL-2.1-only",
    "Expat with embedded exception": "MIT",
    "Apache-2.0 with LLVM exception": "Apache-2.0 WITH LLVM-exception",
    "GPL-3+ with GCC-Runtime-Library exception": "GPL-3.0-or-later WITH GCC-exception-3.1",
}
# Declarations of the kernel's interface and of the compiler's: not libraries, and a scanner would
# report the kernel's own faults for them.
INTERFACES = ("linux-libc-dev", "libclang-common-")
KINDS = ("dynamic", "static", "embedded", "headers")  # the first that applies is what a component is called


class Failure(Exception):
    pass


@dataclass
class Component:
    name: str
    version: str
    purl: str
    kind: str
    source: str
    files: list = field(default_factory=list)
    suite: str = ""
    sha256: str = ""
    cpe: str = ""
    licence: str = ""


def run(*command, check=True):
    done = subprocess.run(command, capture_output=True, text=True, check=False,
                          env={**os.environ, "LC_ALL": "C"})
    if check and done.returncode:
        raise Failure(f"{' '.join(command[:4])}: {done.stderr.strip()}")
    return done.stdout


# ------------------------------------------------------------------------------------ evidence


def static_inputs(build: Path):
    """Archives and objects that the program has a section of, but for our own."""
    found = set()
    for line in (build / "ringward.map").read_text(errors="replace").splitlines():
        match = re.search(r"\s(\S+\.a)\([^)]*\):\(|\s(\S+\.o):\(", line)
        if match:
            found.add(match[1] or match[2])
    resolved = {(build / name).resolve() for name in found}
    ours = ((build / "src").resolve(), (build / "ringward.p").resolve())
    return sorted(file for file in resolved
                  if file.exists() and not any(file.is_relative_to(path) for path in ours))


def shared_libraries(binary: Path):
    """What the loader maps for it, indirectly too."""
    lines = run("ldd", str(binary)).splitlines()
    if missing := [line.strip() for line in lines if "not found" in line]:
        raise Failure(f"{binary}: {missing[0]}")
    matches = (re.match(r"\s*(?:\S+ => )?(/\S+) \(0x", line) for line in lines)
    return sorted(Path(match[1]) for match in matches if match)


def headers(build: Path):
    """Headers of the system that the program's own objects include."""
    inputs = run("ninja", "-C", str(build), "-t", "inputs", "ringward").splitlines()
    objects = [line for line in inputs if line.endswith(".o")]
    text = run("ninja", "-C", str(build), "-t", "deps", *objects)
    found = {line.strip() for line in text.splitlines() if line.startswith("    /usr/")}
    return sorted(Path(os.path.normpath(name)) for name in found)


def embedded(build: Path):
    """What of others' the page of the admin address is made of."""
    inputs = run("ninja", "-C", str(build), "-t", "inputs", "ringward").splitlines()
    return sorted((build / line).resolve() for line in inputs
                  if "subprojects/" in line and line.endswith((".js", ".css")))


# ---------------------------------------------------------------------------------------- whose


def owners(files):
    """{file: Debian package}. Before Debian 13 dpkg knows some files of /usr without the /usr."""
    spellings = {}
    for file in files:
        for path in {str(file), str(file.resolve())}:
            spellings[path] = file
            spellings[path.removeprefix("/usr") if path.startswith("/usr/lib") else path] = file
            spellings["/usr" + path if path.startswith("/lib") else path] = file
    found = {}
    names = sorted(spellings)
    for start in range(0, len(names), 500):
        for line in run("dpkg-query", "-S", *names[start:start + 500], check=False).splitlines():
            package, _, path = line.partition(": ")
            if path in spellings and not package.startswith("diversion by"):
                found[spellings[path]] = package.split(",")[0]
    return found


def debian_component(package: str, kind: str, release):
    fields = run("dpkg-query", "-W", "-f",
                 "${Package} ${Version} ${Architecture} ${source:Package} ${source:Version}", package)
    name, version, architecture, source, source_version = fields.split()
    upstream = source if source_version == version else f"{source}@{source_version}"
    purl = (f"pkg:deb/{release['ID']}/{name}@{quote(version, safe='')}?arch={architecture}"
            f"&distro={release['ID']}-{release['VERSION_ID']}&upstream={quote(upstream, safe='')}")
    return Component(name, version, purl, kind, source)


def wrap_component(file: Path):
    """The source that an archive below subprojects/ was built from; None when it is none of them."""
    directory = file.parts[file.parts.index("subprojects") + 1] if "subprojects" in file.parts else ""
    for path in sorted((ROOT / "subprojects").glob("*.wrap")):
        wrap = configparser.ConfigParser(interpolation=None)
        wrap.read(path)
        pinned = wrap["wrap-file"]
        if pinned["directory"] != directory:
            continue
        if "npm" in wrap:
            name, version = wrap["npm"]["npm"].split("@")
            return Component(name, version, f"pkg:npm/{name}@{version}", "embedded", name, sha256=pinned["source_hash"])
        debian = wrap["debian"]
        name, _, version = pinned["source_filename"].partition("_")
        version, suite, digest = version.partition(".orig.")[0], debian["suite"], pinned["source_hash"]
        changelog = ROOT / "subprojects" / directory / "debian" / "changelog"
        if changelog.exists():  # ./dev's way out: a whole Debian source package, patches and all
            version = changelog.read_text(errors="replace").split("(", 1)[1].split(")", 1)[0]
            suite, digest = debian["fallback"], ""
            purl = f"pkg:deb/debian/{name}@{quote(version, safe='')}?arch=source"
        else:
            purl = f"pkg:generic/{name}@{quote(version, safe='')}?checksum=sha256:{digest}"
        upstream = re.split(r"[-+]", version)[0]
        cpe = f"{debian['cpe']}:{upstream}:*:*:*:*:*:*:*" if "cpe" in debian else ""
        return Component(name, version, purl, "static", name, [], suite, digest, cpe)
    return None


def collect(build: Path, binary: Path, release):
    """Every component; headers count where nothing else of the same source is in the program."""
    components, unknown = {}, []

    def add(component, file):
        components.setdefault(component.purl, component).files.append(file)

    files = {"dynamic": shared_libraries(binary), "static": static_inputs(build),
             "embedded": embedded(build), "headers": headers(build)}
    owner = owners([file for group in files.values() for file in group])
    made = {}
    for kind in KINDS:
        linked = {component.source for component in components.values()}
        for file in files[kind]:
            wrap = wrap_component(file) if kind in ("static", "embedded") and file not in owner else None
            if wrap:
                add(wrap, file)
            elif file not in owner:
                unknown.append(str(file))
            elif not owner[file].startswith(INTERFACES):
                package = owner[file]
                if package not in made:
                    made[package] = debian_component(package, kind, release)
                if kind != "headers" or made[package].source not in linked:
                    add(made[package], file)
    if unknown:
        raise Failure(f"nobody's: {', '.join(unknown)}")
    return sorted(components.values(), key=lambda component: component.purl)


# ------------------------------------------------------------------------------------- licences


def stated_licences(text: str):
    """[(patterns, licence)] of the Files paragraphs of a copyright file."""
    stated = []
    for paragraph in re.split(r"\n\s*\n", text):
        fields = dict(re.findall(r"^(\S+): *((?:.*)(?:\n[ \t].*)*)", paragraph, re.M))
        if "Files" in fields:
            licence = fields["License"].split("\n")[0].strip()
            if licence not in SPDX:
                raise Failure(f"{COPYRIGHT.name}: '{licence}' has no SPDX name in {sys.argv[0]}")
            stated.append((fields["Files"].split(), SPDX[licence]))
    return stated


def licence_of(file: Path, stated):
    """The last paragraph that matches wins, as Debian has it."""
    path = str(file.resolve())
    if "subprojects" in file.parts:  # what the build directory mirrors, whatever it links to
        path = str((ROOT / Path(*file.parts[file.parts.index("subprojects"):][:2])).resolve())
        path = path.removeprefix(f"{ROOT}/") + f"/{file.name}"
    for patterns, licence in reversed(stated):
        if any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns if pattern != "*"):
            return licence
    raise Failure(f"{COPYRIGHT.relative_to(ROOT)} states no licence for {path}")


def add_licences(components):
    stated = stated_licences(COPYRIGHT.read_text())
    for component in components:
        licences = sorted({licence_of(file, stated) for file in component.files})
        component.licence = " AND ".join(licences)


# --------------------------------------------------------------------------------------- output


def licences(expression: str):
    return [{"expression": expression}] if " " in expression else [{"license": {"id": expression}}]


def component_json(component: Component):
    properties = [{"name": "ringward:linkage", "value": component.kind}]
    if not component.suite and component.kind != "embedded":
        properties.append({"name": "ringward:debian-source", "value": component.source})
    made = {"type": "library", "bom-ref": component.purl, "supplier": {"name": "npm" if component.kind == "embedded" else "Debian"},
            "name": component.name, "version": component.version}
    if component.sha256:
        made["hashes"] = [{"alg": "SHA-256", "content": component.sha256}]
    made["licenses"] = licences(component.licence)
    if component.cpe:
        made["cpe"] = component.cpe
    return {**made, "purl": component.purl, "properties": properties}


def bill(components, version: str, release):
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH") or
                run("git", "-C", str(ROOT), "log", "-1", "--format=%ct"))
    ours = f"pkg:generic/ringward@{version}"
    system = {"type": "operating-system", "bom-ref": "built-on", "name": release["ID"],
              "version": release["VERSION_ID"], "description": "what it was built on"}
    made = {
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch)),
            "component": {
                "type": "application", "bom-ref": ours, "name": "ringward", "version": version,
                "description": "the program; its own source is Apache-2.0",
                "licenses": [{"license": {"id": "GPL-3.0-or-later"}}], "purl": ours},
        },
        "components": [component_json(component) for component in components] + [system],
        "dependencies": [{"ref": ours, "dependsOn": [component.purl for component in components]}],
    }
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(made, sort_keys=True))
    return {"$schema": made.pop("$schema"), "bomFormat": made.pop("bomFormat"),
            "specVersion": made.pop("specVersion"), "serialNumber": f"urn:uuid:{serial}", **made}


def os_release():
    lines = Path("/etc/os-release").read_text().splitlines()
    return {key: value.strip('"') for key, _, value in (line.partition("=") for line in lines)}


def main():
    parser = argparse.ArgumentParser(description="the bill of materials of a build")
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--packages", action="store_true")
    arguments = parser.parse_args()
    build = arguments.build
    release = os_release()
    components = collect(build, build / "ringward", release)
    add_licences(components)
    if arguments.packages:
        for component in (one for one in components if one.kind != "embedded"):
            print(*filter(None, (component.name, component.version, component.suite)))
        return
    project = json.loads((build / "meson-info" / "intro-projectinfo.json").read_text())
    text = json.dumps(bill(components, project["version"], release), indent=2) + "\n"
    if arguments.output:
        arguments.output.write_text(text)
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"sbom: {failure}")
