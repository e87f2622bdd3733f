"""The receiving half of web push: decryption (RFC 8188, RFC 8291) and VAPID's token (RFC 8292).

Written from the RFCs and not with the sender's library, so that each checks the other.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_CURVE = ec.SECP256R1()


def encode(raw: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def new_pair() -> tuple[str, str]:
    """A private key (32 bytes) and its public point (65 bytes), base64url."""
    key = ec.generate_private_key(_CURVE)
    private = key.private_numbers().private_value.to_bytes(32)
    return encode(private), encode(_point(key.public_key()))


def decrypt(private_key: str, auth: str, body: bytes) -> bytes:
    """The plain text of one record of aes128gcm. Raises ValueError if it cannot be decrypted."""
    if len(body) < 21 + 65:
        raise ValueError("the body is too short")
    salt, key_length = body[:16], body[20]
    sender, sealed = body[21 : 21 + key_length], body[21 + key_length :]
    private = ec.derive_private_key(int.from_bytes(decode(private_key)), _CURVE)
    shared = private.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, sender))
    info = b"WebPush: info\0" + _point(private.public_key()) + sender
    secret = _derive(decode(auth), shared, info, 32)
    key = _derive(salt, secret, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _derive(salt, secret, b"Content-Encoding: nonce\0", 12)
    try:
        padded = AESGCM(key).decrypt(nonce, sealed, None)
    except InvalidTag:
        raise ValueError("the body was not encrypted for this browser") from None
    return padded.rstrip(b"\0").removesuffix(b"\2")


def verified_claims(token: str, public_key: str) -> dict[str, Any] | None:
    """The claims of an ES256 token, or None if this key has not signed it."""
    try:
        signed, _, signature = token.rpartition(".")
        raw = decode(signature)
        der = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
        key = ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, decode(public_key))
        key.verify(der, signed.encode(), ec.ECDSA(hashes.SHA256()))
        found = json.loads(decode(signed.partition(".")[2]))
    except (ValueError, InvalidSignature):
        return None
    return found if isinstance(found, dict) else None


def _derive(salt: bytes, secret: bytes, info: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt, info).derive(secret)


def _point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
