#!/usr/bin/env python3
"""client.py PATH NAME [DEST TEXT]: attaches to the host at unix:PATH as NAME; asks TEXT at DEST (a proc or a
port id) and prints the answer, or prints what comes and answers in upper case.  Made from hostmux-protocol(7)."""
import re, secrets, socket, struct, sys

HELLO, DATA, ABORT, SETTLE, CREDIT, BYE, FIRST, LAST, ASK, BACK = 1, 3, 4, 5, 7, 10, 1, 2, 1, 2
OUTCOMES = "delivered", "not sent", "refused", "timed out", "unknown"
CODE = {"s": ">B", "S": ">H"}  # str8 and str16; everything else is struct's

def pack(form, *values):
    return b"".join(struct.pack(CODE[kind], len(value.encode())) + value.encode() if kind in CODE
                    else struct.pack(">" + kind, value) for kind, value in zip(form, values))

def unpack(form, data, at=0):  # the values, and behind them where they end
    values = []
    for kind in form:
        code = CODE.get(kind, ">" + kind)
        value, at = struct.unpack_from(code, data, at)[0], at + struct.calcsize(code)
        values.append(data[at:at + value].decode() if kind in CODE else value)
        at += value if kind in CODE else 0
    return values + [at]
class Client:
    def __init__(self, path, name):
        self.socket, self.number, self.begun, self.inbox = socket.socket(socket.AF_UNIX), 0, {}, []
        self.socket.connect(path)
        self.file = self.socket.makefile("rb")
        self.write(HELLO, pack("IBBBBQQQQsss", 0x686D7578, 1, 0, 1, 0, secrets.randbits(64), 0, 1 << 26, 65536, "", name, ""))
        self.credit, self.host, self.name = unpack("IBBBBQQQQsss", self.read()[3])[8:11]
    def write(self, kind, body, flags=0, extra=0):
        self.socket.sendall(pack("IBBH", len(body), kind, flags, extra) + body)
    def read(self):
        size, kind, flags, extra = struct.unpack(">IBBH", self.file.read(8) or sys.exit("the link broke"))
        body = self.file.read(size)
        return (kind, flags, extra, body) if kind != BYE else sys.exit(unpack("S", body)[0] or "the host has left")
    def port(self, text):  # the parts of a port id, or those of a proc's default port
        found = re.fullmatch(r"(.+),([\w.-]+),([\w.-]+)\[(\d+)\]\[(\d+)\]", text)
        return (*found.groups()[:3], int(found[4]), int(found[5])) if found else (self.host, text, "main", 0, 0)
    def send(self, dest, payload, reply_to=None):
        head = pack("QBBHIIsssQQsssQs", len(payload), 64, 0, 0, 0xFFFFFFFF, 0, *self.port(dest),
                    self.host, self.name, "main", 0, "text/plain")
        head += (pack("BsS", 1, "reply-to", reply_to) if reply_to else b"\0") + b"\0"
        self.number, flags = self.number + 1, FIRST
        while flags or payload:
            while self.credit < max(128, 17 + len(head)): self.step()
            size = min(16384, self.credit - 16 - len(head))
            body, payload = pack("Q", self.number) + head + payload[:size], payload[size:]
            self.credit -= max(128, 8 + len(body))
            self.write(DATA, body, flags | (0 if payload else LAST), len(head))
            head, flags = b"", 0
    def step(self):  # takes one record
        kind, flags, extra, body = self.read()
        number = unpack("Q", body)[0] if kind in (DATA, ABORT, CREDIT) else 0
        if kind == CREDIT:
            self.credit += number if flags != ASK else -(number := min(number, self.credit))
            if flags == ASK: self.write(CREDIT, pack("Q", number), BACK)
        elif kind == SETTLE and extra != 0:
            sys.exit(OUTCOMES[extra] + ": " + unpack("S", body, 4 + 12 * unpack("I", body)[0])[0])
        elif kind == ABORT: self.begun.pop(number, None)
        elif kind == DATA:
            self.write(CREDIT, pack("Q", max(128, 8 + len(body))))
            self.begun.setdefault(number, [body[8:8 + extra], bytearray()])[1] += body[8 + extra:]
            if flags & LAST: self.inbox.append((number, *self.begun.pop(number)))
    def receive(self):  # the reply-to and the payload of the next message
        while not self.inbox: self.step()
        number, head, payload = self.inbox.pop(0)
        *_, count, at = unpack("QBBHIIsssQQsssQsB", head)
        headers = unpack("sS" * count, head, at)
        self.write(SETTLE, pack("IQISS", 1, number, 1, "", ""))  # delivered
        return dict(zip(headers[:-1:2], headers[1::2])).get("reply-to"), payload.decode()

client = Client(*sys.argv[1:3])
if len(sys.argv) > 3:
    client.send(sys.argv[3], sys.argv[4].encode(), f"{client.host},{client.name},main[0][1024]")
    print(client.receive()[1])
while len(sys.argv) == 3:
    reply_to, text = client.receive()
    print(text, flush=True)
    if reply_to: client.send(reply_to, text.upper().encode())
client.write(BYE, pack("S", ""))
