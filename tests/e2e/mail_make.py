#!/usr/bin/env python3
"""usage: mail_make.py maildir FOLDER [COUNT] | mbox FILE | one SUBJECT

Messages as programs send them, and some that are broken, by Python's email and mailbox; `one` writes a message to standard output."""
import email.message
import email.policy
import mailbox
import sys


def plain(subject, text="Hallo W\u00f6rld\n"):
    m = email.message.EmailMessage()
    m["From"] = "J\u00f6rg M\u00fcller <joerg@example.org>"
    m["To"] = "you@example.org"
    m["Subject"] = subject
    m["Date"] = "Fri, 08 Jul 2011 12:08:34 +0200"
    m["Message-ID"] = f"<{abs(hash(subject))}@example.org>"
    m.set_content(text)
    return m


def rich():
    m = plain("Gr\u00fc\u00dfe mit Anh\u00e4ngen")
    m.add_alternative("<p>Hallo <b>W\u00f6rld</b></p>", subtype="html")
    m.add_attachment(bytes(range(256)) * 100, maintype="application", subtype="pdf", filename="r\u00fcck blick.pdf")
    m.add_attachment("zweiter Text \u20ac\n", filename="../../etc/notes.txt")
    m.add_attachment(plain("weitergeleitet"))
    return m


def nested():
    inner = email.message.EmailMessage()
    inner.set_content("innen\n")
    inner.add_related(b"\x89PNG\r\n", maintype="image", subtype="png", cid="<x@y>")
    m = plain("verschachtelt")
    m.make_mixed()
    m.attach(inner)
    return m


BROKEN = [
    b"no head at all",
    b"Subject: =?utf-8?b?!!!?= =?x-none?q?=FF?=\nContent-Type: multipart/mixed; boundary=\"b\n\n--b\n\nno end",
    b"Subject: no end of base64\nContent-Type: image/png; name=../../x\nContent-Transfer-Encoding: base64\n\niVBORw0KGgo",
    b"From: x\x00y\nReceived: a\nreceived: b\nContent-Type: text/plain; charset=utf-8\n\n\xff\xfe broken \xe4\n",
]


def main(kind, place, count="0"):
    if kind == "one":
        sys.stdout.buffer.write(plain(place).as_bytes(policy=email.policy.SMTP))
        return
    box = mailbox.Maildir(place) if kind == "maildir" else mailbox.mbox(place)
    for m in [plain("\u00dcber uns"), rich(), nested(), *BROKEN]:
        box.add(m)
    quoted = plain("From hier an", "From the beginning of a line\n>From a quoted one\n")
    box.add(quoted)
    for i in range(int(count)):
        box.add(plain(f"Nummer {i}"))
    box.close()


main(*sys.argv[1:])
