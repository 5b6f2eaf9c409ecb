"""A CA of our own and a leaf for this machine, for every server that a case runs."""

import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def certificate(folder):
    """A CA and a leaf for 127.0.0.1; returns (CA file, leaf chain file, key file)."""
    now = datetime.datetime.now(datetime.timezone.utc)

    def build(name, key, issuer_name, issuer_key, authority):
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer_name)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=2))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if not authority:
            names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
            usage = x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH])
            builder = builder.add_extension(usage, critical=False)
        return builder.sign(issuer_key, hashes.SHA256())

    pem = serialization.Encoding.PEM
    ca_key, leaf_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca = build("interop CA", ca_key, "interop CA", ca_key, True)
    leaf = build("interop service", leaf_key, "interop CA", ca_key, False)
    ca_file, chain_file, key_file = (f"{folder}/stranger-{part}.pem" for part in ("ca", "chain", "key"))
    with open(ca_file, "wb") as out:
        out.write(ca.public_bytes(pem))
    with open(chain_file, "wb") as out:
        out.write(leaf.public_bytes(pem) + ca.public_bytes(pem))
    with open(key_file, "wb") as out:
        out.write(leaf_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return ca_file, chain_file, key_file
