"""A worker that does what it should not: worker.py MODE ARGUMENTS..."""

import ctypes
import fcntl
import os
import select
import signal
import socket
import struct
import time

import hostile
import usher
from hostile import linger_on, mode, say, stay


@mode
def nothing():
    stay()


@mode
def wait_inside():
    say("inside")
    stay()


@mode
def links_for_logs(log, *targets):
    """Writes much, and puts links to the targets in the log's place all the time."""
    number = 0
    while True:
        for target in targets:
            print("x" * 100, flush=True)
            try:
                os.symlink(target, log + ".link")
                os.rename(log + ".link", log)
            except OSError:
                pass
            number += 1
            if number == 100:
                say("links")
            if number % 5 == 0:  # there is a file to rotate now and then
                try:
                    os.unlink(log)
                except OSError:
                    pass


@mode
def use_terminal():
    try:
        os.open("/dev/tty", os.O_RDWR)
        say("has the terminal")
    except OSError:
        say("has no terminal")
    stay()


@mode
def deafen_seat(marker):
    """The first filters all away, for ever, and dies; who comes after it serves."""
    seats = [socket.socket(fileno=3 + i) for i in range(int(os.environ["LISTEN_FDS"]))]
    if not os.path.exists(marker):
        open(marker, "w").close()
        program = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0))  # ret 0
        nothing = struct.pack("HP", 1, ctypes.addressof(program))
        for option in (26, 51):  # SO_ATTACH_FILTER, SO_ATTACH_REUSEPORT_CBPF
            try:
                seats[0].setsockopt(socket.SOL_SOCKET, option, nothing)
                say("filters")
            except OSError:
                say("may not filter")
        seats[0].setsockopt(socket.SOL_SOCKET, 44, 1)  # SO_LOCK_FILTER
        os._exit(1)
    while True:
        client, _ = seats[0].accept()
        client.recv(1 << 16)
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        client.close()


@mode
def linger_on_peeked(hides="no"):
    """Has the last close of what it was sent, and leaves there, wait: that is its master's.  It may
    hide from the master that it is there."""
    worker = usher.Worker(max_batch=1)
    worker.ready()
    source = worker._source
    select.select([source], [], [])
    _, extra, _, _ = source.recvmsg(1 << 16, socket.CMSG_SPACE(4), socket.MSG_PEEK | socket.MSG_DONTWAIT)
    client = socket.socket(fileno=struct.unpack("i", extra[0][2])[0])
    linger_on(client)
    client.close()
    if hides == "hides":
        source.setsockopt(socket.SOL_SOCKET, 42, 1 << 20)  # SO_PEEK_OFF
    say("died")
    os._exit(1)


def control():
    """The socket of a worker that has said hello and is ready."""
    worker = usher.Worker()
    worker.ready()
    worker._control.setblocking(True)
    return worker._control


@mode
def say_objects():
    """Each costs the square of its size in a parser that walks an array for every object in it."""
    master = control()
    say("says objects")
    while True:
        master.send(b'{"type":"news","x":[' + b"{}," * 21000 + b"{}]}")


@mode
def say_much():
    master = control()
    say("says much")
    while True:
        master.send(b'{"type":"news"}')


@mode
def flood_output():
    say("floods")
    while True:
        os.write(1, b"x" * 200 + b"\n")


@mode
def fill_process_tree():
    for _ in range(300):
        if os.fork() == 0:
            stay()
    say("filled")
    stay()


@mode
def lease_program(program):
    """Ends, so that there is a successor; the program that it is to become, this user's own, waits
    until a helper gives up the lease on it, fcntl(2)."""
    worker = usher.Worker()
    worker.ready()
    reader, writer = os.pipe()
    if os.fork() != 0:
        os.read(reader, 1)
        os._exit(1)
    os.setsid()  # or it ends with its worker's group
    signal.alarm(90)  # nobody else ends it
    fd = os.open(program, os.O_RDWR)
    signal.signal(signal.SIGIO, lambda *_: say("they wait"))
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    except OSError as error:
        say(f"has no lease: {error}")
    say("has a lease")
    os.write(writer, b"x")
    stay()


@mode
def ask_for_pidfds():
    """With each packet of its master, also those that its master takes back."""
    worker = usher.Worker(max_batch=1)
    worker.ready()
    worker._source.setsockopt(socket.SOL_SOCKET, 76, 1)  # SO_PASSPIDFD
    say("asked")
    time.sleep(1)
    os._exit(1)


@mode
def say_escapes():
    """On every way there is."""
    bad = "begin\x1b[31m\rusher[1] info: forged\x9b\u202e\u2028\x7f"
    print(f"output {bad}", flush=True)
    worker = usher.Worker()
    worker.ready()
    worker.bye(bad)
    stay()


@mode
def say_bye_often():
    master = control()
    for _ in range(900):
        master.send(b'{"type":"bye","reason":"again"}')
    say("said bye")
    stay()


def node_channel():
    """The end of a Node worker."""
    channel = socket.socket(fileno=int(os.environ["NODE_CHANNEL_FD"]))
    channel.setblocking(True)
    return channel


def ask_node(members):
    """Asks for a server, and says the answer's error."""
    channel = node_channel()
    channel.sendall(b'{"cmd":"NODE_CLUSTER","act":"queryServer","seq":1,' + members + b"}\n")
    answer = channel.recv(1 << 16)
    say("errno " + answer.split(b'"errno":')[1].split(b",")[0].decode())
    stay()


@mode
def linger_on_accepted(client="other"):
    """Has the last close of a connection that it accepts wait: that is its master's.  The client may
    be itself."""
    channel = node_channel()
    channel.sendall(b'{"cmd":"NODE_CLUSTER","act":"queryServer","seq":1,"port":0,"addressType":4}\n')
    port = int(channel.recv(1 << 16).rpartition(b'"port":')[2].split(b"}")[0])
    channel.sendall(b'{"cmd":"NODE_CLUSTER","act":"listening","seq":2,"port":0,"addressType":4}\n')
    own = [socket.create_connection(("127.0.0.1", port))] if client == "itself" else []
    text, fds, _, _ = socket.recv_fds(channel, 1 << 16, 1)
    client = socket.socket(fileno=fds[0])
    linger_on(client)
    client.close()
    answer = b'{"cmd":"NODE_HANDLE_ACK"}\n{"cmd":"NODE_CLUSTER","ack":%s,"accepted":true,"seq":3}\n'
    channel.sendall(answer % text.rpartition(b'"seq":')[2].rstrip(b"}\n"))
    say(f"accepted, with {len(own)} of its own" if own else "accepted")
    stay()


@mode
def say_long_internal():
    say("says long internal")
    node_channel().sendall(b'{"cmd":"NODE_FOO","x":[' + b"{}," * 5_000_000 + b"{}]}\n")
    stay()


@mode
def ask_with_much_data():
    ask_node(b'"port":0,"data":"' + b"x" * 100_000 + b'"')


@mode
def ask_for_inherited(number):
    ask_node(b'"port":-1,"fd":' + number.encode())


def notify(text, descriptors=()):
    """False: nobody reads it."""
    name = os.environ["NOTIFY_SOCKET"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.settimeout(1)
        sender.connect("\0" + name[1:] if name.startswith("@") else name)
        try:
            socket.send_fds(sender, [text], descriptors)
        except TimeoutError:
            return False
    return True


@mode
def keep_watchdog():
    """An honest one, which says when it was not heard at once."""
    notify(b"READY=1")
    say("inside")
    lost = 0
    while True:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            name = os.environ["NOTIFY_SOCKET"]
            sender.setblocking(False)
            try:
                sender.connect("\0" + name[1:] if name.startswith("@") else name)
                sender.send(b"WATCHDOG=1")
            except OSError:
                lost += 1
                say(f"lost {lost}")
        time.sleep(0.02)


def send_to_inbox(text, descriptors, number=20):
    """Becomes ready first, and again after a reload."""
    notify(b"READY=1")
    for _ in range(number):
        if not notify(text, descriptors()):
            break
    say("sent")
    stay()


@mode
def slow_files_to_inbox():
    try:
        slow = hostile.SlowFile()
    except OSError as error:
        say(f"left out, there is no FUSE here: {error}")
        send_to_inbox(b"STATUS=no FUSE", list, 1)
    send_to_inbox(b"STATUS=slow files", lambda: [slow.fd] * 5)


@mode
def lingering_sockets_to_inbox():
    """The last close of each waits, and that is mostly the master's."""
    pairs = []

    def lingering():
        if pairs:
            hostile.forget(pairs[-1][0].detach())
        pairs.append(hostile.lingering_socket())
        return [pairs[-1][0].fileno()]

    send_to_inbox(b"STATUS=lingering", lingering)


def keep_sigterm_waiting():
    """Its master may well retire it before it has said that it has sent."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


def say_sent():
    say("sent")
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    stay()


def send_slow_file(socket_of_master):
    """A descriptor whose close waits, with a message."""
    keep_sigterm_waiting()
    try:
        slow = hostile.SlowFile()
    except OSError as error:
        say(f"left out, there is no FUSE here: {error}")
        say_sent()
    try:
        socket.send_fds(socket_of_master, [b"{}\n"], [slow.fd])
    except PermissionError:
        pass  # the other end takes none
    say_sent()


@mode
def slow_file_to_control():
    send_slow_file(control())


@mode
def slow_file_to_channel():
    send_slow_file(node_channel())


@mode
def slow_file_to_probe():
    """Goes with the answer to its probe."""
    worker = usher.Worker()
    worker.ready()
    send_slow_file(worker.accept().socket)


def send_lingering_sockets(socket_of_master, text):
    """Whose last close is the master's, also of those that it has not read when we end."""
    keep_sigterm_waiting()
    pairs = [hostile.lingering_socket() for _ in range(5)]
    try:
        for ours, _ in pairs:
            socket.send_fds(socket_of_master, [text], [ours.fileno()])
            hostile.forget(ours.detach())
    except OSError:
        pass  # the other end takes none, or is gone
    say_sent()


@mode
def lingering_sockets_to_control():
    send_lingering_sockets(control(), b"{}")


@mode
def lingering_sockets_to_channel():
    send_lingering_sockets(node_channel(), b"{}\n")


@mode
def lingering_sockets_to_probe():
    worker = usher.Worker()
    worker.ready()
    send_lingering_sockets(worker.accept().socket, b"HTTP/1.1 200 OK\r\n")


if __name__ == "__main__":
    hostile.main()
