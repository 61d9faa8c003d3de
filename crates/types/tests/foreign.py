"""A stranger's device: seals reports with pycose, reads ours, checks receipts. Speaks in lines of hex on standard input and output.

seal ALG SECRET PAYLOAD  -> PUBLIC ENVELOPE      (payload is re-encoded by cbor2 in its canonical form)
read PUBLIC ENVELOPE     -> NETWORK TIME SEQUENCE BODY
receipt PUBLIC RECEIPT   -> REPORT NETWORK EPOCH VERIFIER RECEIVED
"""
import hashlib
import sys

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pycose.algorithms import EdDSA, Es256
from pycose.headers import KID, Algorithm
from pycose.keys import EC2Key, OKPKey
from pycose.keys.curves import P256, Ed25519
from pycose.messages import CoseMessage, Sign1Message

AAD = b"cairn/report/1"


def domain(*parts: bytes) -> bytes:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()


def device_id(kind: int, public: bytes) -> bytes:
    return domain(b"cairn/device/1", bytes([kind]), public)


def keys(algorithm: str, secret: bytes):
    """(kind, compressed public key, COSE key)"""
    if algorithm == "EdDSA":
        public = ed25519.Ed25519PrivateKey.from_private_bytes(secret).public_key()
        raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        return 0, raw, OKPKey(crv=Ed25519, x=raw, d=secret)
    private = ec.derive_private_key(int.from_bytes(secret, "big"), ec.SECP256R1())
    point = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    packed = private.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    return 1, packed, EC2Key(crv=P256, x=point[1:33], y=point[33:], d=secret)


def public_key(text: str):
    kind, digits = text.split(":")
    raw = bytes.fromhex(digits)
    if kind == "ed25519":
        return OKPKey(crv=Ed25519, x=raw)
    point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw).public_numbers()
    return EC2Key(crv=P256, x=point.x.to_bytes(32, "big"), y=point.y.to_bytes(32, "big"))


def seal(algorithm: str, secret: str, payload: str) -> str:
    kind, public, key = keys(algorithm, bytes.fromhex(secret))
    fields = cbor2.loads(bytes.fromhex(payload))
    message = Sign1Message(
        phdr={Algorithm: EdDSA if algorithm == "EdDSA" else Es256, KID: device_id(kind, public)},
        payload=cbor2.dumps(fields, canonical=True),
        external_aad=AAD,
    )
    message.key = key
    return f"{['ed25519', 'p256'][kind]}:{public.hex()} {message.encode().hex()}"


def read(public: str, envelope: str) -> str:
    message = CoseMessage.decode(bytes.fromhex(envelope))
    message.external_aad = AAD
    message.key = public_key(public)
    assert message.verify_signature(), "our signature does not hold"
    fields = cbor2.loads(message.payload)
    return f"{fields[1].hex()} {fields[2]} {fields[3]} {fields[4].hex()}"


def check(public: str, signature: bytes, message: bytes):
    """Raises unless the signature holds."""
    kind, digits = public.split(":")
    raw = bytes.fromhex(digits)
    if kind == "ed25519":
        ed25519.Ed25519PublicKey.from_public_bytes(raw).verify(signature, message)
        return
    point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)
    der = encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
    point.verify(der, message, ec.ECDSA(hashes.SHA256()))


def root(leaf: bytes, at: int, count: int, siblings: list) -> bytes:
    """The root of the tree in which `leaf` stands at `at` of `count`."""
    top, left, width = leaf, list(siblings), count
    while width > 1:
        if at % 2 == 1:
            top = hashlib.sha256(b"\x01" + left.pop(0) + top).digest()
        elif at + 1 < width:
            top = hashlib.sha256(b"\x01" + top + left.pop(0)).digest()
        at, width = at // 2, (width + 1) // 2
    assert not left, "a path that is too long"
    return domain(b"cairn/tree/1", count.to_bytes(8, "big"), top)


def receipt(public: str, text: str) -> str:
    report, network, epoch, group, (start, count, siblings), signature = cbor2.loads(bytes.fromhex(text))
    verifier, received, group_root = group
    leaf = hashlib.sha256(b"\x00" + report + network + epoch.to_bytes(8, "big")).digest()
    assert root(leaf, start, count, siblings) == group_root, "the path does not lead to the root"
    check(public, signature, domain(b"cairn/receipt/1", cbor2.dumps(group, canonical=True)))
    return f"{report.hex()} {network.hex()} {epoch} {verifier.hex()} {received}"


for line in sys.stdin:
    command, *words = line.split()
    print({"seal": seal, "read": read, "receipt": receipt}[command](*words), flush=True)
