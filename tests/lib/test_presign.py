"""Addresses for one PUT at a bucket, against botocore's signatures and over real HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.lib.s3 import ACCESS_KEY, SECRET_KEY, make_bucket, s3_endpoint, use_s3
from tokportal_server.lib.storage import DiskStore, open_store

KEY = "quarantine/aa/bb"


def address(home: Path, content_type: str = "video/mp4", bucket: str = "media") -> str:
    store = open_store(f"s3://{bucket}/pre/fix", home=home)
    signed = store.sign_put(KEY, content_type=content_type, seconds=900)
    assert signed is not None
    return signed


@pytest.mark.parametrize("content_type", ["video/mp4", "image/jpeg"])
def test_signs_as_amazons_own_client_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content_type: str
) -> None:
    use_s3(monkeypatch, "https://s3.example.com:9000")
    ours = address(tmp_path, content_type)
    fields = parse_qs(urlsplit(ours).query)
    signed_at = datetime.strptime(fields["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    monkeypatch.setattr(
        "botocore.auth.get_current_datetime", lambda: signed_at.replace(tzinfo=None)
    )
    request = AWSRequest("PUT", ours.partition("?")[0], headers={"Content-Type": content_type})
    S3SigV4QueryAuth(
        Credentials(ACCESS_KEY, SECRET_KEY), "s3", "eu-central-1", expires=900
    ).add_auth(request)
    theirs = parse_qs(urlsplit(request.url).query)
    assert fields == theirs
    assert fields["X-Amz-SignedHeaders"] == ["content-type;host"]


def test_the_address_names_bucket_prefix_and_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_s3(monkeypatch, "https://s3.example.com:9000")
    parts = urlsplit(address(tmp_path))
    assert (parts.netloc, parts.path) == ("s3.example.com:9000", f"/media/pre/fix/{KEY}")


def test_a_session_token_is_part_of_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_s3(monkeypatch, "https://s3.example.com")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of this hour/+=")
    fields = parse_qs(urlsplit(address(tmp_path)).query)
    assert fields["X-Amz-Security-Token"] == ["of this hour/+="]


async def test_what_is_put_there_lies_under_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with s3_endpoint() as endpoint:
        use_s3(monkeypatch, endpoint)
        bucket = make_bucket(endpoint)
        signed = address(tmp_path, bucket=bucket)
        headers = {"Content-Type": "video/mp4"}
        async with (
            aiohttp.ClientSession() as session,
            session.put(signed, data=b"film", headers=headers) as answer,
        ):
            assert answer.status == 200
        store = open_store(f"s3://{bucket}/pre/fix", home=tmp_path)
        assert await store.head(KEY) == 4


def test_a_bucket_without_a_fixed_key_gives_no_addresses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_s3(monkeypatch, "https://s3.example.com")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    store = open_store("s3://media", home=tmp_path)
    assert store.sign_put(KEY, content_type="video/mp4", seconds=900) is None


def test_a_directory_gives_no_addresses(tmp_path: Path) -> None:
    assert DiskStore(tmp_path).sign_put(KEY, content_type="video/mp4", seconds=900) is None
