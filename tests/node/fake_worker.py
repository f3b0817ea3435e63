"""A worker that speaks to its cluster and is no Node: `fake_worker.py FAULT`.

It listens as a good one would, then does what FAULT says; what it has no fault for it does well.
"""
import array
import json
import os
import socket
import sys
import time

FAULT = sys.argv[1]
CHANNEL = socket.socket(fileno=int(os.environ["NODE_CHANNEL_FD"]))
CHANNEL.setblocking(True)


def send(message, seq=[0]):
    if message.get("cmd") == "NODE_CLUSTER":
        message["seq"] = seq[0]
        seq[0] += 1
    CHANNEL.sendall(json.dumps(message, separators=(",", ":")).encode() + b"\n")


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
        while b"\n" in buffer:
            line, buffer = buffer.split(b"\n", 1)
            message = json.loads(line)
            if message.get("cmd") == "NODE_HANDLE":
                yield message["msg"], socket.socket(fileno=handles.pop(0))
            else:
                yield message, None


def serve(connection):
    connection.setblocking(True)
    connection.recv(65536)
    body = b"hello\n"
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nX-Slot: {os.environ['USHER_SLOT']}\r\n\r\n"
    connection.sendall(head.encode() + body)
    connection.close()


def misbehave(key):
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
    elif FAULT == "bad-number":
        send({"cmd": "NODE_CLUSTER", "act": "queryServer", "port": 70000, "addressType": 4})
    elif FAULT == "silent":
        pass
    time.sleep(60)


send({"cmd": "NODE_CLUSTER", "act": "online"})
send({"cmd": "NODE_CLUSTER", "act": "queryServer", "index": 0, "data": None,
      "address": "127.0.0.1", "port": 0, "addressType": 4, "backlog": 0})
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
    elif "ack" in message:
        send({"cmd": "NODE_CLUSTER", "act": "listening", "index": 0, "data": None,
              "address": "127.0.0.1", "port": message["sockname"]["port"], "addressType": 4})
        # The first worker has the fault, the others are there to serve on.
        if os.environ["USHER_SLOT"] == "1" and os.environ["USHER_WORKER_ID"] == "1" and FAULT != "hold":
            misbehave(message["key"])
        if os.environ["USHER_WORKER_ID"] != "1":
            FAULT = ""
    elif message.get("act") == "disconnect":
        sys.exit(0)
