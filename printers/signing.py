"""Ed25519 signatures of a hub: made by it, checked by agents and by whoever audits a print.

Keys and signatures are text: `ed25519:` and the raw bytes in base64url without padding.
Algorithm: https://www.rfc-editor.org/rfc/rfc8032
"""

import base64
import binascii
from collections.abc import Sequence

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from basis.errors import Invalid
from printers.protocol import HubKey, Signed
from printers.provenance import NotSigned, Provenance, read, rotation

KIND = "ed25519:"


def new_private() -> str:
    """A new private key."""
    return _text(Ed25519PrivateKey.generate().private_bytes_raw())


def public_of(private: str) -> str:
    """The public key that belongs to a private one."""
    return _text(_private(private).public_key().public_bytes_raw())


def sign(private: str, document: str) -> Signed:
    """A document with the signature over its UTF-8 bytes."""
    signature = _text(_private(private).sign(document.encode()))
    return Signed(document=document, key=public_of(private), signature=signature)


def is_signed(key: str, document: str, signature: str) -> bool:
    """Whether `signature` over `document` was made with the private half of `key`."""
    try:
        public = Ed25519PublicKey.from_public_bytes(_bytes(key, 32))
        public.verify(_bytes(signature, 64), document.encode())
    except (InvalidSignature, Invalid, ValueError):
        return False
    return True


def checked(signed: Signed, *, trusted: str) -> Provenance:
    """What a signed document says. Raises NotSigned unless `trusted` itself signed it."""
    if signed.key != trusted:
        raise NotSigned(
            f"it is signed by the key {signed.key[:60]!r}, and only {trusted} is believed here"
        )
    if not is_signed(trusted, signed.document, signed.signature):
        raise NotSigned(f"the signature is not that of {trusted} over this document")
    return read(signed.document)


def successors(keys: Sequence[HubKey], *, trusted: str) -> list[str]:
    """`trusted`, and the keys that followed it, each signed for by the one before; the last one is
    in use. Empty when `trusted` is none of these keys."""
    if trusted not in {each.key for each in keys}:
        return []
    after = {each.replaces: each for each in keys if each.replaces}
    found = [trusted]
    while (following := after.get(found[-1])) is not None and following.key not in found:
        if not is_signed(found[-1], rotation(following), following.signature):
            break
        found.append(following.key)
    return found


def checked_key(text: str) -> str:
    """A public key as people type it. Raises Invalid for anything else."""
    Ed25519PublicKey.from_public_bytes(_bytes(text.strip(), 32))
    return text.strip()


def _private(text: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(_bytes(text, 32))


def _text(raw: bytes) -> str:
    return KIND + base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str, count: int) -> bytes:
    body = text.removeprefix(KIND)
    try:
        raw = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as exc:
        raise Invalid(f"{text[:80]!r} is no key or signature: {exc}") from exc
    if not text.startswith(KIND) or len(raw) != count or _text(raw) != text:
        raise Invalid(f"{text[:80]!r}: expected {KIND} and {count} bytes in base64url")
    return raw
