from __future__ import annotations

import json
import re
from typing import Any

from tokportal_server.lib.resources import contract_file
from tokportal_server.reference.postman import postman_collection
from tokportal_server.reference.site import Site, postman_json

_VARIABLE = re.compile(r"\{\{(\w+)\}\}")


def requests(site: Site) -> list[tuple[str, Any]]:
    collection = postman_collection(site.reference)
    return [(item["name"], item["request"]) for f in collection["item"] for item in f["item"]]


def test_the_committed_collection_is_current(site: Site) -> None:
    assert contract_file("postman.json").read_bytes() == postman_json(site.reference)


def test_there_is_a_request_for_every_operation(site: Site) -> None:
    operations = [entry.operation for entry in site.reference.entries.values()]
    found = [(name, request["method"]) for name, request in requests(site)]
    # Folder by folder: an addition of ours stands in the folder of its group.
    tags = list(dict.fromkeys(op.tag for op in operations))
    in_folders = sorted(operations, key=lambda op: tags.index(op.tag))
    assert found == [(op.summary, op.method) for op in in_folders]


def test_every_variable_of_a_request_is_one_of_the_collection(site: Site) -> None:
    collection = postman_collection(site.reference)
    declared = {variable["key"] for variable in collection["variable"]}
    assert set(_VARIABLE.findall(json.dumps(collection))) == declared


def test_every_parameter_of_a_path_has_a_value(site: Site) -> None:
    for _, request in requests(site):
        wanted = [part[1:] for part in request["url"]["path"] if part.startswith(":")]
        assert [variable["key"] for variable in request["url"].get("variable", [])] == wanted


def test_a_body_is_json_and_a_form_has_its_file(site: Site) -> None:
    modes = set()
    for _, request in requests(site):
        body = request.get("body", {"mode": None})
        modes.add(body["mode"])
        if body["mode"] == "raw":
            assert json.loads(body["raw"])
        elif body["mode"] == "formdata":
            assert body["formdata"][-1]["type"] == "file"
    assert modes == {None, "raw", "formdata"}
