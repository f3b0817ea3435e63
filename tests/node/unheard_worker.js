// A worker of a cluster, for the tests: `node unheard_worker.js FOLDER`.
//
// It greets each client.  The first one of all is heard no more before: a program that has its
// channel sends the primary sockets whose close waits.  It dies of its first client.
'use strict';
const { spawnSync } = require('child_process');
const fs = require('fs');
const net = require('net');
const path = require('path');

const sender = `
import os, socket, sys, time
sys.path.insert(0, "${path.join(__dirname, '../hostile')}")
import hostile
pairs = [hostile.lingering_socket() for _ in range(5)]
if os.fork() == 0: # the clients, who read nothing
    for ours, _ in pairs:
        os.close(ours.detach())
    time.sleep(3600)
channel = socket.socket(fileno=3)
for ours, peer in pairs:
    socket.send_fds(channel, [b"{}\\n"], [ours.fileno()])
    hostile.forget(ours.detach())
os._exit(0)
`;

let isFirst = true;
try {
  fs.closeSync(fs.openSync(path.join(process.argv[2], 'first'), 'wx'));
} catch {
  isFirst = false;
}

const server = net.createServer((socket) => {
  socket.write(`served by ${process.pid}\n`, () => {
    if (isFirst) process.kill(process.pid, 'SIGKILL');
    else socket.end();
  });
});
server.listen(0, '127.0.0.1', () => {
  if (isFirst) setTimeout(() => {
    spawnSync('/usr/bin/python3', ['-c', sender], { stdio: ['ignore', 'inherit', 'inherit', process.channel.fd] });
    console.log('unheard');
  }, 100);
});
