"""The push service: it takes what the RFCs allow, and browsers decrypt only what is for them."""

from __future__ import annotations

import httpx
import pytest

from sandbox.push import crypto

HEADERS = {"TTL": "60", "Content-Encoding": "aes128gcm"}


def test_the_example_of_rfc_8291_is_decrypted() -> None:
    body = crypto.decode(
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8w"
        "EqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )
    private, auth = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94", "BTBZMqHH6r4Tts7J_aSIgg"
    assert crypto.decrypt(private, auth, body) == b"When I grow up, I want to be a watermelon"
    with pytest.raises(ValueError, match="not encrypted for this browser"):
        crypto.decrypt(crypto.new_pair()[0], auth, body)


def test_what_a_sender_can_get_wrong(sandbox) -> None:
    made = httpx.post(f"{sandbox.push}/subscriptions").json()
    endpoint = made["endpoint"]
    assert endpoint.startswith(f"{sandbox.push}/send/")
    assert httpx.post(f"{sandbox.push}/send/unknown", headers=HEADERS).status_code == 404
    assert httpx.post(endpoint).status_code == 400
    assert httpx.post(endpoint, headers=HEADERS | {"TTL": "long"}).status_code == 400
    assert httpx.post(endpoint, headers=HEADERS | {"Topic": "a b"}).status_code == 400
    assert httpx.post(endpoint, headers=HEADERS).status_code == 401
    assert httpx.post(endpoint, headers=HEADERS | {"Authorization": "vapid t=a.b.c, k=d"}).status_code == 403
    assert httpx.post(endpoint, headers=HEADERS, content=b"x" * 5000).status_code == 413
    httpx.delete(f"{sandbox.push}/subscriptions/{endpoint.rpartition('/')[2]}").raise_for_status()
    assert httpx.post(endpoint, headers=HEADERS).status_code == 410
