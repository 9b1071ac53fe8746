"""rig/authority.py: who makes client certificates, with the openssl program."""
import subprocess


def openssl(*words):
    return subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, text=True).stdout


class Authority:
    """Makes certificates: names as subjectAltName has them."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self.key, self.certificate = folder / f"{name}.key", folder / f"{name}.pem"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={name}", "-keyout",
                self.key, "-out", self.certificate)

    def make(self, stem, names, usage="clientAuth", days=2, algorithm=("ec", "-pkeyopt", "ec_paramgen_curve:P-256")):
        key, request, certificate, extensions = (self.folder / f"{stem}.{end}" for end in ("key", "csr", "pem", "ext"))
        openssl("req", "-new", "-newkey", *algorithm, "-nodes", "-subj", f"/CN={stem}", "-keyout", key, "-out", request)
        extensions.write_text(f"extendedKeyUsage = {usage}\n" + (f"subjectAltName = {names}\n" if names else ""))
        openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial", "-days", days, "-extfile", extensions,
                "-out", certificate)
        return certificate, key


def fingerprint(certificate):
    return openssl("x509", "-in", certificate, "-noout", "-fingerprint", "-sha256").strip().partition("=")[2]
