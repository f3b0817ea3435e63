// A worker of a cluster, for the tests: `node server.js WHAT...`, each of
//
//     http[:PORT]     answers with its slot; /slow late, /never not, /echo with what was posted
//     refuse          takes no connection more while it serves one
//     net:PORT        a plain server, which sends its slot
//     unix:PATH       HTTP on a Unix socket
//     abstract:NAME   HTTP on a Unix socket without a file
//     https           as http
//     udp             answers each datagram with its slot
//     leave:MS        disconnects by itself, and works for so long yet
//     leave-once:FILE  the same if there is no such file, which it makes then
//     leave-on-error  disconnects by itself when a server of its fails
//     close-at-once   a server that it closes as soon as it listens, and then it leaves
//     work:MS         works for so long when it has been disconnected, and listens to nothing
//     udp-pair:AB     two UDP sockets on one port, of a multicast group; A and B are 1 where they
//                     have `reuseAddr`.  Says what each of them gets
//     exclusive       a server that usher knows nothing of
//     fd:NUMBER       HTTP on a socket of usher's
//     reuse-port      HTTP on a port that each worker opens for itself, if its Node can do that
//     send:JSON       sends that message
//     send-large:N:SIZE  sends N messages with a text of that size, numbered, as soon as it gets a
//                     message
//     send-rich       sends what JSON cannot say
//     send-half       sends a text that ends within a character
//     send-socket     sends a message with a socket, and says when that was closed by the other end
//     send-back       sends back what it gets
//     listen-to-messages  writes down every message, or the length of a long one
//     hold-fds:N      opens so many descriptors that N are left
//     tell            says `PID takes PORT` for each connection, and at its end what it thinks
//                     of that
//
// Problems go to the standard output: `error CODE CALL`.
'use strict';
const cluster = require('cluster');
const dgram = require('dgram');
const fs = require('fs');
const http = require('http');
const https = require('https');
const net = require('net');
const path = require('path');

const slot = process.env.USHER_SLOT;

function answer(request, response) {
  response.setHeader('X-Slot', slot);
  response.setHeader('X-Pid', process.pid);
  response.setHeader('X-Version', process.version);
  if (request.url === '/echo') {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => response.end(Buffer.concat(parts)));
  } else if (request.url === '/block') {
    console.log('blocking'); // written before it goes on: it is a pipe
    fs.readFileSync(process.env.GATE); // a FIFO: until somebody has opened it for writing
    response.end('hello\n');
  } else if (request.url === '/never') {
    // No answer.
  } else if (request.url === '/close') {
    request.socket.server.close();
    response.end('hello\n');
  } else if (request.url === '/handles') {
    response.end(`${process.getActiveResourcesInfo().length}\n`);
  } else if (request.url === '/leave') {
    response.end('hello\n');
    cluster.worker.disconnect();
  } else if (request.url === '/kill') {
    response.end('hello\n', () => cluster.worker.kill());
  } else if (request.url === '/cut') {
    response.end('hello\n', () => process.disconnect());
  } else {
    setTimeout(() => response.end('hello\n'), request.url === '/slow' ? 1000 : 0);
  }
}

let leave_on_error = false;

function report(server) {
  server.on('error', (error) => {
    console.log(`error ${error.code} ${error.syscall}`);
    if (leave_on_error)
      leave(100);
  });
  return server;
}

function work(time) {
  setTimeout(() => console.log('work done'), time);
}

function leave(time) {
  cluster.worker.disconnect();
  work(time);
}

let refuse = false;

function create_server() {
  const server = report(http.createServer(answer));
  if (refuse)
    server.maxConnections = 1;
  return server;
}

for (const what of process.argv.slice(2)) {
  const at = what.indexOf(':');
  const name = at < 0 ? what : what.slice(0, at);
  const value = at < 0 ? '0' : what.slice(at + 1);
  switch (name) {
  case 'refuse':
    refuse = true;
    break;
  case 'tell':
    // Before the cluster answers that it has it, and written at once: it is a pipe.
    process.prependListener('internalMessage', (message, handle) => {
      const peer = {};
      if (message.act === 'newconn' && handle.getpeername(peer) === 0)
        console.log(`${process.pid} takes ${peer.port}`);
    });
    process.on('exit', (code) => console.log(
        `ends with ${code}, exitedAfterDisconnect ${cluster.worker.exitedAfterDisconnect}`));
    break;
  case 'http':
    create_server().listen(Number(value), '127.0.0.1');
    break;
  case 'fd':
    create_server().listen({fd: Number(value)});
    break;
  case 'anywhere':
    create_server().listen({port: Number(value), backlog: 64});
    break;
  case 'net':
    report(net.createServer((socket) => socket.end(`${slot}\n`))).listen(Number(value));
    break;
  case 'unix':
    create_server().listen({path: value, readableAll: true, writableAll: true});
    break;
  case 'https': {
    const options = {
      key: fs.readFileSync(path.join(process.env.CERTIFICATES, 'key.pem')),
      cert: fs.readFileSync(path.join(process.env.CERTIFICATES, 'cert.pem')),
    };
    report(https.createServer(options, answer)).listen(Number(value), '127.0.0.1');
    break;
  }
  case 'udp': {
    const socket = dgram.createSocket('udp4');
    socket.on('message', (text, peer) => socket.send(slot, peer.port, peer.address));
    socket.bind(Number(value), '127.0.0.1');
    break;
  }
  case 'leave':
    leave(Number(value));
    break;
  case 'leave-once':
    if (!fs.existsSync(value)) {
      fs.writeFileSync(value, '');
      leave(100);
    }
    break;
  case 'leave-on-error':
    leave_on_error = true;
    break;
  case 'close-at-once': {
    const server = create_server();
    server.listen(0, '127.0.0.1', () => {
      server.close();
      leave(100);
    });
    break;
  }
  case 'work':
    process.on('disconnect', () => work(Number(value)));
    break;
  case 'udp-pair': {
    const group = '239.255.71.1';
    const open = (name, flag, port, on_bound) => {
      const socket = dgram.createSocket({type: 'udp4', reuseAddr: flag === '1'});
      socket.on('error', (error) => console.log(`error ${error.code} ${error.syscall}`));
      socket.on('message', (text) => console.log(`${name} gets ${text}`));
      socket.bind(port, () => {
        try {
          socket.addMembership(group, '127.0.0.1');
        } catch (error) { // by another worker, who has the same socket
          if (error.code !== 'EADDRINUSE')
            throw error;
        }
        on_bound(socket.address().port);
      });
    };
    open('first', value[0], 0, (port) => open('second', value[1], port,
                                              () => console.log(`pair ${port}`)));
    break;
  }
  case 'abstract':
    create_server().listen(`\0${value}`);
    break;
  case 'exclusive':
    report(net.createServer((socket) => socket.end(`${slot}\n`)))
        .listen({port: 0, host: '127.0.0.1', exclusive: true},
                function() { console.log(`exclusive ${this.address().port}`); });
    break;
  case 'reuse-port':
    create_server().listen({port: 0, host: '127.0.0.1', reusePort: true},
                           function() { console.log(`reuse-port ${this.address().port}`); });
    break;
  case 'hold-fds': {
    const held = [];
    try {
      for (;;)
        held.push(fs.openSync('/dev/null'));
    } catch (error) {
      for (let i = 0; i < Number(value); ++i)
        fs.closeSync(held.pop());
    }
    process.on('SIGUSR2', () => {
      for (const fd of held.splice(0))
        fs.closeSync(fd);
      console.log('let go');
    });
    break;
  }
  case 'send':
    process.send(JSON.parse(value));
    break;
  case 'send-large': {
    const [count, size] = value.split(':').map(Number);
    process.once('message', () => {
      for (let number = 0; number < count; ++number)
        process.send({number, text: 'x'.repeat(size)});
    });
    break;
  }
  case 'send-rich': {
    const cycle = {name: 'cycle'};
    cycle.self = cycle;
    for (const rich of [Buffer.from('buffer'), new Map([[1, 2]]), {big: 10n}, cycle, {plain: '\u00e9'},
                        {holes: [1, , 3, , ]}])
      process.send(rich);
    break;
  }
  case 'send-half':
    process.send({half: '\ud83d\ude00'.slice(0, 1)});
    break;
  case 'send-socket': {
    const server = net.createServer();
    server.listen({port: 0, host: '127.0.0.1', exclusive: true}, () => {
      const peer = net.connect(server.address().port, '127.0.0.1');
      peer.on('close', () => console.log('peer closed'));
      server.once('connection', (socket) => process.send(
          {socket: true}, socket, (error) => console.log(`socket sent: ${error}`)));
    });
    break;
  }
  case 'send-back':
    process.on('message', (message) => process.send(message));
    break;
  case 'listen-to-messages':
    process.on('message', (message) => {
      const text = JSON.stringify(message);
      console.log(text.length < 100 ? `got ${text}` : `got number ${message.number}, ${text.length}`);
    });
    break;
  default:
    throw new Error(`unknown: ${what}`);
  }
}
