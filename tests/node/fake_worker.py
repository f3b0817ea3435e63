"""A worker that speaks to its cluster and is no Node: `fake_worker.py FAULT`.

It listens as a good one would, then does what FAULT says; what it has no fault for it does well.
`ask:JSON` asks for another server with these members, and says `refused with ERROR` if it gets none.
"""
import array
import json
import os
import socket
import struct
import sys
import time

FAULT = sys.argv[1]
CHANNEL = socket.socket(fileno=int(os.environ["NODE_CHANNEL_FD"]))
CHANNEL.setblocking(True)
ADVANCED = os.environ["NODE_CHANNEL_SERIALIZATION_MODE"] == "advanced"


def varint(number):
    result = b""
    while number >= 0x80:
        result += bytes([0x80 | number & 0x7F])
        number >>= 7
    return result + bytes([number])


def v8_encode(value):
    """A value as V8's serializer writes it, without the header."""
    if value is None:
        return b"0"
    if value is True or value is False:
        return b"T" if value else b"F"
    if isinstance(value, int):
        return b"I" + varint(value * 2 if value >= 0 else -value * 2 - 1)
    if isinstance(value, str):
        return b'"' + varint(len(value)) + value.encode("latin-1")
    pairs = b"".join(v8_encode(key) + v8_encode(item) for key, item in value.items())
    return b"o" + pairs + b"{" + varint(len(value))


def v8_decode(data):
    """The value at the beginning of `data`, and what follows it."""
    tag, data = data[:1], data[1:]

    def take_varint(data):
        number = shift = 0
        while True:
            number |= (data[0] & 0x7F) << shift
            shift += 7
            if data[0] < 0x80:
                return number, data[1:]
            data = data[1:]

    if tag in b"0TF":
        return {b"0": None, b"T": True, b"F": False}[tag], data
    if tag == b"I":
        number, data = take_varint(data)
        return (number >> 1) ^ -(number & 1), data
    if tag == b'"':
        size, data = take_varint(data)
        return data[:size].decode("latin-1"), data[size:]
    assert tag == b"o", tag
    result = {}
    while data[:1] != b"{":
        key, data = v8_decode(data)
        result[key], data = v8_decode(data)
    count, data = take_varint(data[1:])
    assert count == len(result)
    return result, data


def frame(payload):
    return struct.pack(">I", len(payload)) + payload


def send(message, seq=[0]):
    if message.get("cmd") == "NODE_CLUSTER":
        message["seq"] = seq[0]
        seq[0] += 1
    if ADVANCED:
        CHANNEL.sendall(frame(b"\xff\x0f" + v8_encode(message)))
    else:
        CHANNEL.sendall(json.dumps(message, separators=(",", ":")).encode() + b"\n")


def take_message(buffer):
    """The first message in `buffer`, or None, and what follows it."""
    if not ADVANCED:
        line, end, rest = buffer.partition(b"\n")
        return (json.loads(line), rest) if end else (None, buffer)
    size = struct.unpack(">I", buffer[:4])[0] if len(buffer) >= 4 else 0
    if len(buffer) < 4 + size or size == 0:
        return None, buffer
    return v8_decode(buffer[6:4 + size])[0], buffer[4 + size:]


def messages():
    """What comes, each with its connection or None."""
    buffer = b""
    handles = []
    while True:
        data, control, _, _ = CHANNEL.recvmsg(65536, 4096)
        for level, kind, content in control:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                numbers = array.array("i")
                numbers.frombytes(content[: len(content) - len(content) % numbers.itemsize])
                handles.extend(numbers)
        if not data:
            return
        buffer += data
        while True:
            message, buffer = take_message(buffer)
            if message is None:
                break
            if message.get("cmd") == "NODE_HANDLE":
                yield message["msg"], socket.socket(fileno=handles.pop(0))
            else:
                yield message, None


def ask(**members):
    """For a server; `members` are those that a good worker would not send so."""
    send({"cmd": "NODE_CLUSTER", "act": "queryServer", "index": 0, "data": None,
          "address": "127.0.0.1", "port": 0, "addressType": 4, "backlog": 0, **members})


def serve(connection):
    connection.setblocking(True)
    connection.recv(65536)
    body = b"hello\n"
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nX-Slot: {os.environ['USHER_SLOT']}\r\n\r\n"
    connection.sendall(head.encode() + body)
    connection.close()


def misbehave(key):
    global FAULT
    if FAULT.startswith("ask:"):
        ask(**json.loads(FAULT[4:]))
        FAULT = ""
        return
    if FAULT == "many-servers":
        for index in range(1, 300):
            ask(index=index)
        FAULT = ""
        return
    if FAULT == "malformed":
        CHANNEL.sendall(b'{"cmd":"NODE_CLUSTER",\n')
    elif FAULT == "empty-line":
        CHANNEL.sendall(b"\n")
    elif FAULT == "half-a-line":
        CHANNEL.sendall(b'{"cmd":"NODE_CLU')
        CHANNEL.close()
    elif FAULT == "huge-line":
        try:
            for _ in range(64):
                CHANNEL.sendall(b"x" * 1024 * 1024)
        except OSError:
            pass
    elif FAULT == "wrong-ack":
        send({"cmd": "NODE_CLUSTER", "ack": 4711, "accepted": True})
    elif FAULT == "stray-handle-ack":
        send({"cmd": "NODE_HANDLE_ACK"})
    elif FAULT == "descriptors":
        for _ in range(100):
            socket.send_fds(CHANNEL, [b'"x"\n'], [0])
    elif FAULT == "handle-for-a-closed-server":
        send({"cmd": "NODE_CLUSTER", "act": "close", "key": key})
        text = {"cmd": "NODE_HANDLE", "type": "net.Native",
                "msg": {"cmd": "NODE_CLUSTER", "act": "newconn", "key": key, "seq": 1}}
        socket.send_fds(CHANNEL, [json.dumps(text).encode() + b"\n"], [0])
    elif FAULT == "no-number":
        bare = {"cmd": "NODE_CLUSTER", "act": "queryServer", "port": 80}
        CHANNEL.sendall(frame(b"\xff\x0f" + v8_encode(bare)) if ADVANCED
                        else json.dumps(bare).encode() + b"\n")
    elif FAULT == "silent":
        pass
    elif FAULT == "cut-payload":
        CHANNEL.sendall(frame(b'\xff\x0fo"\x03cmd"\x0cNODE_CLUSTER"\x03act"\x7fonline'))
    elif FAULT == "no-header":
        CHANNEL.sendall(frame(b'{"cmd":"NODE_CLUSTER","act":"online","seq":0}'))
    elif FAULT == "empty-payload":
        CHANNEL.sendall(frame(b""))
    elif FAULT == "not-plain":
        CHANNEL.sendall(frame(b'\xff\x0fo"\x03cmd"\x0cNODE_CLUSTER"\x03act;:\x00{\x02'))
    elif FAULT == "huge-length":
        CHANNEL.sendall(b"\xff\xff\xff\xffx")
    elif FAULT == "half-a-length":
        CHANNEL.sendall(b"\x00\x00")
        CHANNEL.close()
    time.sleep(60)


send({"cmd": "NODE_CLUSTER", "act": "online"})
ask()
held = []
for message, connection in messages():
    if connection is not None:
        if FAULT == "hold":
            held.append(connection)
            send({"cmd": "NODE_HANDLE_ACK"})
            continue
        send({"cmd": "NODE_HANDLE_ACK"})
        send({"cmd": "NODE_CLUSTER", "ack": message["seq"], "accepted": True})
        serve(connection)
    elif message.get("errno"):
        print("refused with", os.strerror(-message["errno"]), flush=True)
    elif "ack" in message:
        send({"cmd": "NODE_CLUSTER", "act": "listening", "index": 0, "data": None,
              "address": "127.0.0.1", "port": message["sockname"]["port"], "addressType": 4})
        # The first worker has the fault, the others are there to serve on.
        if os.environ["USHER_SLOT"] == "1" and os.environ["USHER_WORKER_ID"] == "1" and FAULT not in ("", "hold"):
            misbehave(message["key"])
        if os.environ["USHER_WORKER_ID"] != "1":
            FAULT = ""
    elif message.get("act") == "disconnect":
        sys.exit(0)
