"""rig/profiles.py: the servers that dialogues share, by name (the word after "server" in a dialogue)."""
import re

from rig.nameserver import NameServer
from rig.server import PASSWORD, Server, make_certificate, shared_certificate

LISTENERS = {
    "587": 'tls = "starttls"',
    "465": 'tls = "implicit"',
    "588": 'tls = "starttls"  require_tls = false',                              # clear text allowed, for trusted networks
    "589": 'tls = "starttls"  command_timeout = 1  data_timeout = 1',            # impatient
    "466": 'tls = "implicit"  command_timeout = 1  data_timeout = 1',
    "six": 'tls = "starttls"',                                                   # [::1]
}
# 127.9.x.x are the trusted clients; everybody else logs in.
TRUSTED = 'trusted_networks = { "127.9.0.0/16" }\ntrusted_senders = { "*@example.net" }'


def edit_user(server, login, old, new):
    """What submitctl has no word for, in the form that the manual gives."""
    text = server.users_path.read_text()
    line = next(line for line in text.splitlines() if line.startswith(login + " "))
    changed = re.sub(old, new, line, count=1) if old else f"{line} {new}"
    server.users_path.write_text(text.replace(line, changed))


def add_users(server):
    server.add_user("alice@example.net", PASSWORD)
    server.add_user("list@example.net", PASSWORD, "*@lists.example.net", "carol@example.net")
    server.add_user("any@example.net", PASSWORD, "*")
    server.add_user("long@example.net", "p" * 255)
    server.add_user("disabled@example.net", PASSWORD)
    server.ctl("user", "disable", "disabled@example.net")
    server.add_user("nosubmit@example.net", PASSWORD)
    server.add_user("scramonly@example.net", PASSWORD)
    for victim in range(3):
        server.add_user(f"victim{victim}@example.net", PASSWORD)
    server.ctl("user", "set", "nosubmit@example.net", "--submit", "no")
    server.ctl("group", "set", "sales", "--sender", "*@sales.example.net", "--max-recipients", "3", "--max-size", "20000")
    server.ctl("group", "set", "retired", "--submit", "no")
    server.add_user("seller@example.net", PASSWORD)
    server.ctl("user", "set", "seller@example.net", "--group", "sales", "--sender", "carol@example.net")
    server.add_user("retired@example.net", PASSWORD)
    server.ctl("user", "set", "retired@example.net", "--group", "sales", "--group", "retired")
    server.add_user("inside@example.net", PASSWORD)
    server.ctl("user", "set", "inside@example.net", "--recipient", "*@example.net", "--recipient", "bob@example.org",
               "--max-recipients", "2")
    server.add_user("many@example.net", PASSWORD)
    server.ctl("user", "set", "many@example.net", *(word for i in range(40) for word in
               ("--sender", f"s{i}@example.net", "--recipient", f"r{i}@example.org")))
    edit_user(server, "scramonly@example.net", r" state=active", " state=active min_mech=scram")


def default():
    """All limits as they come. One certificate more, RSA, for mail.example.net."""
    key, chain = shared_certificate("ec")
    server = Server("default", listeners=LISTENERS, top=TRUSTED, tls="-")
    rsa_key, rsa_chain = shared_certificate("rsa", "mail.example.net")
    server.tls = (f'tls {{ certificate = "{chain}"  key = "{key}"\n'
                  f'      sni "mail.example.net" {{ certificate = "{rsa_chain}"  key = "{rsa_key}" }} }}')
    server.write_conf()
    return server


def small():
    """Every limit as low as it goes."""
    return Server("small", listeners=LISTENERS, top=TRUSTED, sections={
        "limits": "message_size = 65536  recipients = 100  mails_per_session = 3  connections_per_client = 3  "
                  "auth_failures_per_client = 3  auth_failures_per_account = 3"})


def strict():
    return Server("strict", listeners=LISTENERS, top=TRUSTED + "\nstrict_envelope = true\nallow_address_literals = true\nhide_client = true")


def open_postmaster():
    """Anybody may write to the postmaster."""
    return Server("open", listeners=LISTENERS, top='postmaster_unauth = true\ndomain "example.net" { }')


def full():
    """No disk is large enough for it."""
    return Server("full", listeners=LISTENERS, sections={"spool": "reserve = 1099511627776"})


def plain():
    """No certificate, so no TLS and no login; trusted clients only."""
    return Server("plain", listeners={"588": LISTENERS["588"]}, top=TRUSTED, certificate=False, users=False)


def sasl():
    """Every mechanism that can be switched on."""
    return Server("sasl", listeners=LISTENERS, top=TRUSTED, sections={"auth": "scram_sha_1 = true"})


def mx():
    """Recipients follow their MX records; nothing is sent anywhere."""
    server = Server("mx", listeners=LISTENERS, routes={"*": 'via = "mx"'}, top=TRUSTED)
    server.names = NameServer({
        "example.org": {"MX": ["10 mx.example.org."]}, "mx.example.org": {"A": ["127.0.0.1"]},
        "example.net": {"MX": ["10 mx.example.org."]},
        "implicit.example": {"A": ["127.0.0.1"]},
        "null.example": {"MX": ["0 ."]},
        "sick.example": "SERVFAIL",
        "silent.example": "STALL",
        "alias.example": {"CNAME": ["example.org."]},
        "xn--bcher-kva.example": {"MX": ["10 mx.example.org."]},
    })
    server.names.zone.update({"mute.example": None})
    server.sections["dns"] = server.names.section
    server.sections["queue"] = "retry = { 3600 }  retry_connect = { 3600 }  delay_notice = 0"
    server.routes["*"] = 'via = "mx"  port = 1'
    server.write_conf()
    return server


def every():
    """Every extension that can be switched on."""
    return Server("every", listeners=LISTENERS, top=TRUSTED, sections={
        "extensions": 'binarymime = true  deliverby = true  futurerelease = true  requiretls = true  mt_priority = true  '
                      'mt_priority_users = { "list@example.net" }  rrvs = true  mtrk = true  '
                      'no_soliciting = { "net.example:ADV", "net.example:SPAM" }  conperm = true  conneg = true  checkpoint = true'})


def choosy():
    """Little is held, priorities matter."""
    return Server("choosy", listeners=LISTENERS, top=TRUSTED, sections={
        "extensions": 'futurerelease_messages = 2  futurerelease_octets = 60000  mt_priority = true  mt_priority_least = "normal"  '
                      'mt_priority_users = { "list@example.net" }  mt_priority_urgent_size = 1000'})


def urgent():
    """Only urgent mail is taken."""
    return Server("urgent", listeners=LISTENERS, top=TRUSTED, sections={
        "extensions": 'mt_priority = true  mt_priority_least = "urgent"  mt_priority_later = false'})


def bare():
    """Every extension switched off that can be."""
    return Server("bare", listeners=LISTENERS, top=TRUSTED, sections={
        "extensions": "chunking = false  binarymime = true  smtputf8 = false  dsn = false  limits = false  futurerelease = false"})


PROFILES = {"default": default, "small": small, "strict": strict, "open": open_postmaster, "full": full, "plain": plain, "mx": mx,
            "sasl": sasl, "every": every, "bare": bare, "choosy": choosy, "urgent": urgent}


def make_server(name):
    server = PROFILES[name]()
    if server.has_users:
        add_users(server)
    server.start()
    return server


__all__ = ["PROFILES", "make_server", "edit_user", "make_certificate"]
