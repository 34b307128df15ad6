"""Makes the chains of an intranet anew: `python3 make.py` in this folder (needs `cryptography`).

What signs is thrown away; servers use key.pem.
  intranet.pem   a root that no machine knows
  chain.pem      localhost, 127.0.0.1 and 127.0.0.2, signed by `first`, which the root has signed
  beside.pem     the same signed by `second`, with the certificate of `first` beside it, which has not signed it
  past.pem       as chain.pem, and over since 2021
  alone.pem      localhost, signed by itself
"""

import datetime
import ipaddress
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

NAMES = [x509.DNSName("localhost")] + [x509.IPAddress(ipaddress.ip_address(a)) for a in ("127.0.0.1", "127.0.0.2")]
PEM = serialization.Encoding.PEM


def sign(name, key, issuer, years=(2026, 2126), is_authority=False):
    """`issuer`: name and private key of who signs."""
    named = lambda text: x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])
    begin, end = (datetime.datetime(year, 1, 1) for year in years)
    builder = x509.CertificateBuilder().subject_name(named(name)).issuer_name(named(issuer[0]))
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(begin).not_valid_after(end)
    builder = builder.add_extension(x509.BasicConstraints(is_authority, None), critical=True)
    if not is_authority:
        builder = builder.add_extension(x509.SubjectAlternativeName(NAMES), critical=False)
    return builder.sign(issuer[1], hashes.SHA256()).public_bytes(PEM).decode()


def authority(name, issuer=None):
    key = ec.generate_private_key(ec.SECP256R1())
    return (name, key), sign(name, key, issuer or (name, key), is_authority=True)


server = serialization.load_pem_private_key(pathlib.Path("key.pem").read_bytes(), None)
root, root_pem = authority("intranet root")
first, first_pem = authority("intranet first", root)
second, second_pem = authority("intranet second", root)
files = {
    "intranet.pem": root_pem,
    "chain.pem": sign("localhost", server, first) + first_pem,
    "beside.pem": sign("localhost", server, second) + second_pem + first_pem,
    "past.pem": sign("localhost", server, first, years=(2020, 2021)) + first_pem,
    "alone.pem": sign("localhost", server, ("localhost", server)),
}
for name, text in files.items():
    pathlib.Path(name).write_text(text)
