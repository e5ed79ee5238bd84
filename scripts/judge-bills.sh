#!/usr/bin/env bash
# judge-bills.sh ICECORE WORK DISK...: writes bills of materials of the disks and holds them against the published schemas and
# rules, by validators that others wrote: CycloneDX's own library, SPDX's tools for 2.3 and its model for 3.0. They are fetched from PyPI into WORK; where that cannot be
# reached, nothing is judged, and that is said.
set -euo pipefail
icecore=$(realpath "$1"); work=$2; shift 2
mkdir -p "$work"; python=$work/venv/bin/python
if ! "$python" -c 'import cyclonedx, spdx_tools, jsonschema, spdx_python_model' 2>/dev/null; then
  python3 -m venv "$work/venv" && "$work/venv/bin/pip" -q install 'cyclonedx-python-lib[json-validation]==11.*' 'spdx-tools==0.8.*' 'spdx-python-model==0.0.*' ||
    { echo "NOT RUN: bills of materials, the validators cannot be fetched"; exit 0; }
fi
for disk in "$@"; do
  to=$work/$(basename "$disk"); rm -rf "$to"; mkdir -p "$to"
  "$icecore" scan -q --no-vulnerabilities -o cyclonedx="$to" -o spdx-2.3="$to" -o spdx-3.0="$to" \
    -o cyclonedx="$to/all.cdx.json" -o spdx-2.3="$to/all.spdx.json" -o spdx-3.0="$to/all.spdx3.json" "$disk" > /dev/null || [ $? = 3 ]
done
"$python" - "$work" <<'PY'
import io, pathlib, sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from spdx_python_model import v3_0_1
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document
bad = seen = 0
def problem(file, what):
    global bad
    bad += 1
    print(f'{file}: {what}')
strict = JsonStrictValidator(SchemaVersion.V1_6)
for file in sorted(pathlib.Path(sys.argv[1]).glob('*/*.json')):
    seen += 1
    if file.name.endswith('.cdx.json'):
        error = strict.validate_str(file.read_text())
        if error: problem(file, str(error)[:400])
    elif file.name.endswith('.spdx.json'):
        for message in validate_full_spdx_document(parse_file(str(file)))[:5]: problem(file, message.validation_message)
    else:
        # The classes that are made of the specification's own model refuse what it does not know.
        objects = v3_0_1.SHACLObjectSet()
        try:
            with open(file, 'rb') as document: v3_0_1.JSONLDDeserializer().read(document, objects)
            # What an object lacks is told when it is written.
            v3_0_1.JSONLDSerializer().write(objects, io.BytesIO())
            for one in sorted(objects.link())[:5]: problem(file, f'{one} leads nowhere')
        except Exception as error: problem(file, str(error)[:400])
print(f'{seen} documents, {bad} problems')
sys.exit(bad > 0 or not seen)
PY
