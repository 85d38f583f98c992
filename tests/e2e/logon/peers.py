#!/usr/bin/python3
"""usage: peers.py ACCEPTOR impacket|gss-ntlmssp: logs on to ACCEPTOR (acceptor.cpp) by other people's NTLM and SPNEGO.

Debian's Python, as its packages are not in others'. Exits 77 where the package is not installed.
"""
import subprocess
import sys

KERBEROS = b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02"
NTLMSSP = b"\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a"


def skip(why):
    print(f"SKIP: {why}")
    sys.exit(77)


class Server:
    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def begin(self):
        self.process.stdin.write("\n")

    def step(self, token):
        """The words of the answer, the token among them as bytes."""
        self.process.stdin.write(token.hex() + "\n")
        self.process.stdin.flush()
        words = self.process.stdout.readline().split()
        assert len(words) >= 2, "the acceptor has ended"
        words[1] = b"" if words[1] == "-" else bytes.fromhex(words[1])
        return words


def expect(what, found, wanted):
    if found != wanted:
        sys.exit(f"{what}: {found}, not {wanted}")


def impacket(program):
    try:
        from impacket import ntlm, spnego
        from Cryptodome.Cipher import ARC4
    except ImportError as error:
        skip(f"{error.name} (python3-impacket)")
    server = Server(program)

    hint = spnego.SPNEGO_NegTokenInit(bytes.fromhex(subprocess.run([program, "hint"], capture_output=True, text=True, check=True).stdout))
    expect("mechanisms of the hint", hint["MechTypes"], [NTLMSSP])

    def log_on(user="User", password="Password", domain="WORKGROUP", signing=True, bare=False, mechs=(NTLMSSP,), mic=False, ntlmv2=True):
        """Words of the last answer, and the client's key."""
        server.begin()
        hello = ntlm.getNTLMSSPType1("PEER", domain, signing, use_ntlmv2=ntlmv2)
        preferred = mechs[0] == NTLMSSP
        types = b"".join(b"\x06" + spnego.asn1encode(mech) for mech in mechs)
        if bare:
            answer = server.step(hello.getData())
            challenge = answer[1]
        else:
            init = spnego.SPNEGO_NegTokenInit()
            init["MechTypes"] = list(mechs)
            init["MechToken"] = hello.getData() if preferred else b"a ticket"
            answer = server.step(init.getData())
            expect("first answer", answer[0], "go_on")
            resp = spnego.SPNEGO_NegTokenResp(answer[1]) if preferred else None
            if not preferred:
                resp = spnego.SPNEGO_NegTokenResp()
                resp["ResponseToken"] = hello.getData()
                answer = server.step(resp.getData())
                resp = spnego.SPNEGO_NegTokenResp(answer[1])
            expect("negState", resp["NegState"], b"\x01")
            challenge = resp["ResponseToken"]
        expect("second answer", answer[0], "go_on")
        message, key = ntlm.getNTLMSSPType3(hello, challenge, user, password, domain, use_ntlmv2=ntlmv2)
        if bare:
            return server.step(message.getData()), key, b""
        flags = message["flags"]

        def mac(mode):
            cipher = ARC4.new(ntlm.SEALKEY(flags, key, mode))
            text = b"\x30" + spnego.asn1encode(types)
            return ntlm.MAC(flags, cipher.encrypt, ntlm.SIGNKEY(flags, key, mode), 0, text).getData()

        fields = b"\xa2" + spnego.asn1encode(b"\x04" + spnego.asn1encode(message.getData()))
        if mic:
            fields += b"\xa3" + spnego.asn1encode(b"\x04" + spnego.asn1encode(mac("Client")))
        answer = server.step(b"\xa1" + spnego.asn1encode(b"\x30" + spnego.asn1encode(fields)))
        return answer, key, mac("Server") if mic else b""

    for signing in (True, False):
        for bare in (True, False):
            what = f"signing {signing}, bare {bare}"
            answer, key, _ = log_on(signing=signing, bare=bare)
            expect(what, answer[0], "accepted")
            expect(what + ": key", (answer[2], answer[3], answer[5]), ("user", key.hex(), "User"))
            answer, _, _ = log_on(signing=signing, bare=bare, password="password")
            expect(what + ", wrong password", (answer[0], answer[2]), ("refused", "EACCES"))
            answer, key, _ = log_on(signing=signing, bare=bare, user="", password="", domain="")
            expect(what + ", anonymous", (answer[0], answer[2], answer[3]), ("accepted", "anonymous", key.hex()))
        for mechs in ((NTLMSSP,), (NTLMSSP, KERBEROS), (KERBEROS, NTLMSSP)):
            what = f"signing {signing}, mechListMIC, {len(mechs)} mechanisms"
            answer, _, mac = log_on(signing=signing, mechs=mechs, mic=True)
            expect(what, answer[0], "accepted")
            expect(what + ": the server's", answer[1][-16:], mac)
    answer, _, _ = log_on(mechs=(KERBEROS, NTLMSSP))
    expect("mechListMIC left out", (answer[0], answer[2]), ("refused", "EBADMSG"))
    answer, _, _ = log_on(ntlmv2=False)
    expect("NTLMv1", (answer[0], answer[2]), ("refused", "EOPNOTSUPP"))


def gss_ntlmssp(program):
    try:
        import gssapi
        from gssapi import raw
    except ImportError:
        skip("no python3-gssapi")
    ntlm, spnego = gssapi.OID.from_int_seq("1.3.6.1.4.1.311.2.2.10"), gssapi.OID.from_int_seq("1.3.6.1.5.5.2")
    if ntlm not in raw.indicate_mechs():
        skip("no gss-ntlmssp")
    session_key = gssapi.OID.from_int_seq("1.2.840.113554.1.2.2.5.5")
    server = Server(program)

    def log_on(mech, user="WORKGROUP\\User", password=b"Password"):
        server.begin()
        name = gssapi.Name(user, gssapi.NameType.user)
        acquired = raw.acquire_cred_with_password(name, password, mechs=[ntlm, spnego], usage="initiate")
        client = gssapi.SecurityContext(name=gssapi.Name("cifs@isthmus.test", gssapi.NameType.hostbased_service), usage="initiate",
                                        creds=gssapi.Credentials(base=acquired.creds), mech=mech,
                                        flags=[gssapi.RequirementFlag.integrity, gssapi.RequirementFlag.mutual_authentication])
        token, answer = client.step(), None
        while token:
            answer = server.step(token)
            if answer[0] == "refused":
                return answer, client
            token = client.step(answer[1]) if answer[1] else None
        return answer, client

    for mech in (ntlm, spnego):
        what = mech.dotted_form
        answer, client = log_on(mech)
        expect(what, answer[0], "accepted")
        expect(what + ": complete at the client's", client.complete, True)
        key = raw.inquire_sec_context_by_oid(client, session_key)[0]
        # It has a MIC in its message only where SPNEGO can have one, too.
        expect(what + ": key", answer[2:], ["user", key.hex(), "mic" if mech == spnego else "no_mic", "User"])
        # With SPNEGO the client has checked our mechListMIC, which is the last field.
        expect(what + ": mechListMIC", b"\xa3\x12\x04\x10" in answer[1], mech == spnego)
        answer, _ = log_on(mech, password=b"password")
        expect(what + ", wrong password", (answer[0], answer[2]), ("refused", "EACCES"))
        answer, _ = log_on(mech, user="WORKGROUP\\Nobody")
        expect(what + ", nobody", (answer[0], answer[2]), ("refused", "EACCES"))


{"impacket": impacket, "gss-ntlmssp": gss_ntlmssp}[sys.argv[2]](sys.argv[1])
print(f"{sys.argv[2]}: passed")
