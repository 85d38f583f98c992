"""A client of SMB that answers only what it is told to answer: impacket's, and what that one does not do by itself.

Debian's Python has it (python3-impacket).
"""

import struct
import time

from impacket.smb3 import SessionError
from impacket.smb3structs import (
    FILE_NON_DIRECTORY_FILE, FILE_OPEN, FILE_SHARE_DELETE, FILE_SHARE_READ, FILE_SHARE_WRITE, GENERIC_READ, GENERIC_WRITE, SMB2_CHANGE_NOTIFY,
    SMB2_CLOSE, SMB2_CREATE, SMB2_DIALECT_30, SMB2_OPLOCK_BREAK, SMB2_OPLOCK_LEVEL_LEASE, SMB2_OPLOCK_LEVEL_NONE)
from impacket.smbconnection import SMBConnection

PATIENCE = 60  # seconds
SHARE_ALL = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE
STATUS_SHARING_VIOLATION = 0xC0000043
UNASKED = 0xFFFFFFFFFFFFFFFF  # MessageId of what a server says by itself
ACTIONS = {1: "added", 2: "removed", 3: "modified", 4: "old name", 5: "new name"}
INFO_FILE, CLASS_DISPOSITION = 1, 13


class Context:
    """A create context (MS-SMB2 section 2.2.13.2), as impacket's create() takes them."""

    def __init__(self, name, data):
        self.name = name
        self.bytes = struct.pack("<IHHHHI", 0, 16, len(name), 0, 24, len(data)) + name + bytes(8 - len(name)) + data

    def getData(self):
        return self.bytes


class Client:
    def __init__(self, port, password, dialect):
        self.connection = SMBConnection("127.0.0.1", "127.0.0.1", sess_port=port, preferredDialect=dialect, timeout=PATIENCE)
        self.connection.login("user", password)
        self.server = self.connection.getSMBServer()
        self.tree = self.connection.connectTree("share")
        self.v2 = dialect >= SMB2_DIALECT_30
        self.created = None
        receive = self.server.recvSMB

        def receive_and_keep(packet_id=None):
            answer = receive(packet_id)
            if answer["Command"] == SMB2_CREATE:
                self.created = answer["Data"]
            return answer

        self.server.recvSMB = receive_and_keep

    def open(self, name, access=GENERIC_READ | GENERIC_WRITE, share=SHARE_ALL, disposition=FILE_OPEN, options=FILE_NON_DIRECTORY_FILE,
             oplock=SMB2_OPLOCK_LEVEL_NONE, lease=None, contexts=None):
        if lease:
            key, state = lease
            oplock = SMB2_OPLOCK_LEVEL_LEASE
            contexts = [Context(b"RqLs", struct.pack("<16sIIQ", key, state, 0, 0) + (bytes(20) if self.v2 else b""))]
        return self.server.create(self.tree, name, access, share, options, disposition, 0, oplockLevel=oplock, createContexts=contexts)

    def open_alone(self, name, level, **words):
        """Opens when it gets this oplock or lease: the kernel tells late that the mount has closed a file."""
        for _ in range(PATIENCE * 10):
            file = self.open(name, **words)
            if level == (self.lease() if words.get("lease") else self.created[2]):
                return file
            self.close(file)
            time.sleep(0.1)
        raise AssertionError(f"{name}: {words} is not granted")

    def open_for_itself(self, name):
        """Opens when the kernel has told that the mount has closed the file."""
        for _ in range(PATIENCE * 10):
            try:
                return self.open(name, share=0)
            except SessionError as error:
                if error.get_error_code() != STATUS_SHARING_VIOLATION:
                    raise
            time.sleep(0.1)
        raise AssertionError(f"{name} stays in use")

    def answered(self, name):
        """The data of a context in the last open's answer; none if there is no such context."""
        offset, length = struct.unpack_from("<II", self.created, 80)
        contexts = self.created[offset - 64:offset - 64 + length]
        while contexts:
            following, name_at, name_length, _, data_at, data_length = struct.unpack_from("<IHHHHI", contexts)
            if contexts[name_at:name_at + name_length] == name:
                return contexts[data_at:data_at + data_length]
            contexts = contexts[following:] if following else b""
        return None

    def lease(self):
        """The state that the last open was given."""
        return struct.unpack_from("<I", self.answered(b"RqLs"), 16)[0]

    def broken(self):
        """Waits for a break: the oplock that is left, or the key of a lease with what it was and will be, and whether an answer is due."""
        # What nobody asked for takes nothing from the numbers of messages, which impacket does not know.
        window = self.server._Connection["SequenceWindow"]
        answer = self.server.recvSMB(UNASKED)
        self.server._Connection["SequenceWindow"] = window
        assert answer["Command"] == SMB2_OPLOCK_BREAK, answer["Command"]
        data = answer["Data"]
        if struct.unpack_from("<H", data)[0] == 24:
            return data[2]
        _, _, flags, key, old, new = struct.unpack_from("<HHI16sII", data)
        return key, old, new, bool(flags & 1)

    def send(self, command, data):
        packet = self.server.SMB_PACKET()
        packet["Command"] = command
        packet["TreeID"] = self.tree
        packet["Data"] = data
        return self.server.sendSMB(packet)

    def acknowledge(self, data):
        answer = self.server.recvSMB(self.send(SMB2_OPLOCK_BREAK, data))
        assert answer["Status"] == 0, hex(answer["Status"])

    def acknowledge_oplock(self, file, level):
        self.acknowledge(struct.pack("<HBBI", 24, level, 0, 0) + file)

    def acknowledge_lease(self, key, state):
        self.acknowledge(struct.pack("<HHI16sIQ", 36, 0, 0, key, state, 0))

    def write(self, file, data):
        self.server.write(self.tree, file, data, 0, len(data))

    def flush(self, file):
        self.server.flush(self.tree, file)

    def read(self, file):
        return self.server.read(self.tree, file, 0, 1000)

    def remove_at_close(self, file):
        self.server.setInfo(self.tree, file, b"\1", INFO_FILE, CLASS_DISPOSITION)

    def close(self, file):
        # impacket's own close() knows one open of a file only.
        answer = self.server.recvSMB(self.send(SMB2_CLOSE, struct.pack("<HHI", 24, 0, 0) + file))
        assert answer["Status"] == 0, hex(answer["Status"])

    def ask_for_changes(self, folder):
        return self.send(SMB2_CHANGE_NOTIFY, struct.pack("<HHI", 32, 0, 65536) + folder + struct.pack("<II", 0x17, 0))

    def changes(self, message):
        """What an answer to ask_for_changes() says. Status PENDING is passed over by impacket."""
        answer = self.server.recvSMB(message)
        assert answer["Status"] == 0, hex(answer["Status"])
        at, length = struct.unpack_from("<HI", answer["Data"], 2)
        records = answer["Data"][at - 64:at - 64 + length]
        found = []
        while records:
            following, action, size = struct.unpack_from("<III", records)
            found.append((ACTIONS[action], records[12:12 + size].decode("utf-16le")))
            records = records[following:] if following else b""
        return found


def refused(status, call, *arguments, **words):
    try:
        call(*arguments, **words)
    except SessionError as error:
        assert error.get_error_code() == status, f"{error!r} instead of {status:#x}"
    else:
        raise AssertionError(f"not refused with {status:#x}")
