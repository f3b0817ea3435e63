// A worker that speaks with the others of its pool, for the tests:
//
//     node relay_worker.js socket.io     Socket.IO over its adapter for clusters
//     node relay_worker.js messages      process.send and process.on('message') alone
//
// The first has events that relay_client.js asks for.  The second does what a message says,
//
//     {"flood": {"count": N, "size": SIZE}}  sends N numbered messages with a text of that size
//     {"send": OBJECT, "padding": SIZE}      sends that behind a text of that size
//     {"sockets": N}                         sends N numbered messages, each with a socket
//
// and all end with {from, last}; who gets that says how many numbered ones came before it.
'use strict';
const cluster = require('cluster');
const http = require('http');
const net = require('net');

const slot = Number(process.env.USHER_SLOT);
const {id} = cluster.worker;

function speak_socket_io() {
  const {createAdapter} = require('@socket.io/cluster-adapter');
  const {Server} = require('socket.io');
  const server = http.createServer();
  const io = new Server(server, {transports: ['websocket'], adapter: createAdapter()});
  process.on('disconnect', () => io.of('/').adapter.close()); // its timer would keep us alive
  io.on('connection', (socket) => {
    const answer = (event, give) => socket.on(event, async (argument, done) => {
      done(await give(argument));
    });
    answer('who', () => slot);
    answer('servers', () => io.of('/').adapter.serverCount());
    answer('join', (room) => socket.join(room));
    answer('emit', ({room, volatile, values}) => {
      let to = room ? io.to(room) : io;
      if (volatile)
        to = to.volatile;
      for (const value of values)
        to.emit('value', value);
    });
    answer('ask', (value) => io.timeout(50_000).emitWithAck('question', value));
    answer('sockets', async (room) => (await io.in(room).fetchSockets()).length);
  });
  server.listen(0, '127.0.0.1');
}

function speak_messages() {
  const tallies = {};
  const finish = () => process.send({from: slot, id, last: true});
  process.on('message', (message) => {
    if (message.flood) {
      const text = 'x'.repeat(message.flood.size);
      for (let number = 0; number < message.flood.count; ++number)
        process.send({from: slot, id, number, text});
      finish();
    } else if (message.send) {
      process.send({padding: 'x'.repeat(message.padding), ...message.send});
      finish();
    } else if (message.sockets) {
      const socket = net.connect(server.address().port, '127.0.0.1', () => send(0));
      const send = (number) => {
        if (number < message.sockets) {
          process.send({from: slot, id, number}, socket, {keepOpen: true}, () => send(number + 1));
        } else {
          finish();
          socket.end();
        }
      };
    } else if (message.last) {
      const {count, first, next} = tallies[message.id] ?? {count: 0};
      delete tallies[message.id];
      console.log(`from ${message.from}: ${count}` +
                  (count ? `, ${first} to ${next - 1}` : ''));
    } else if ('number' in message) {
      const tally = tallies[message.id] ??= {count: 0, first: message.number, next: 0};
      if (message.number < tally.next)
        console.log(`number ${message.number} of ${message.from} comes too late`);
      ++tally.count;
      tally.next = message.number + 1;
    } else {
      console.log(`got ${JSON.stringify(message)}`);
    }
  });
  const server = http.createServer((request, response) => response.end('hello\n'));
  server.listen(0, '127.0.0.1');
}

({'socket.io': speak_socket_io, messages: speak_messages})[process.argv[2]]();
