// Clients of `relay_worker.js socket.io`, for the tests:
//
//     node relay_client.js PORT CLIENTS WORKERS json|advanced
//
// Each step says what was wrong with it; at the end `good`.
'use strict';
const {io} = require('socket.io-client');

const [port, count, workers] = process.argv.slice(2, 5).map(Number);
const binary_survives = process.argv[5] === 'advanced';

const clients = [];

function check(is_right, what) {
  if (!is_right) {
    console.log(`wrong: ${what}`);
    process.exit(1);
  }
}

const ask = (client, event, argument) =>
    client.socket.timeout(50_000).emitWithAck(event, argument ?? null);

/// Resolves when `client` has got a value for which `is_wanted` holds.
const value_of = (client, is_wanted) => new Promise((resolve) => {
  const listen = (value) => {
    if (!is_wanted(value))
      return;
    client.socket.off('value', listen);
    resolve(value);
  };
  client.socket.on('value', listen);
});

/// Has `sender` emit, and resolves when the last value has come to `receivers`.
async function emit(sender, receivers, what) {
  const last = `last ${Math.random()}`;
  const all = receivers.map((client) => value_of(client, (value) => value === last));
  for (const client of clients)
    client.values = [];
  await ask(sender, 'emit', what);
  await ask(sender, 'emit', {room: what.room, values: [last]});
  await Promise.all(all);
  for (const client of receivers)
    check(client.values.pop() === last, 'nothing comes behind the last one');
}

async function connect() {
  const socket = io(`http://127.0.0.1:${port}`, {transports: ['websocket'], forceNew: true});
  const client = {socket, values: []};
  socket.on('value', (value) => client.values.push(value));
  socket.on('question', (value, done) => done(`${value} ${socket.id}`));
  client.slot = await ask(client, 'who');
  return client;
}

/// One client of each worker.
const speakers = () => [...new Map(clients.map((client) => [client.slot, client])).values()];

const is_same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

async function try_all() {
  for (let i = 0; i < count; ++i)
    clients.push(await connect());
  check(speakers().length === workers, 'clients are spread over all workers');
  for (const speaker of speakers()) // they tell each other that they are there
    while (await ask(speaker, 'servers') < workers)
      await new Promise((resolve) => setTimeout(resolve, 10));

  // To all, in order, many from every worker at once.
  const numbers = [...Array(200).keys()];
  const ends = clients.map((client) => Promise.all(speakers().map(
      ({slot}) => value_of(client, (value) => value === `${slot}: end`))));
  await Promise.all(speakers().map((speaker) => ask(
      speaker, 'emit',
      {values: [...numbers.map((number) => `${speaker.slot}: ${number}`), `${speaker.slot}: end`]})));
  await Promise.all(ends);
  for (const client of clients)
    for (const {slot} of speakers())
      check(is_same(client.values.filter((value) => value.startsWith(`${slot}: `)),
                    [...numbers, 'end'].map((number) => `${slot}: ${number}`)),
            `client of worker ${client.slot} got ${client.values.length} of worker ${slot}`);

  // Rooms.
  await Promise.all(clients.map((client, i) => ask(client, 'join', `room ${i % 3}`)));
  for (const speaker of speakers()) {
    const members = clients.filter((client, i) => i % 3 === 1);
    await emit(speaker, members, {room: 'room 1', values: ['for room 1']});
    for (const client of clients)
      check(is_same(client.values, members.includes(client) ? ['for room 1'] : []), 'rooms');
    check(await ask(speaker, 'sockets', 'room 1') === members.length, 'sockets of a room');
  }

  // What may be lost comes once if it comes.
  for (const speaker of speakers()) {
    await emit(speaker, clients, {volatile: true, values: ['volatile']});
    for (const client of clients)
      check(is_same(client.values, ['volatile']) || is_same(client.values, []), 'volatile');
    const got = clients.filter((client) => client.values.length && client.slot !== speaker.slot);
    check(got.length > 0, 'volatile values come to other workers');
  }

  // Every client answers, whoever asks.
  for (const speaker of speakers()) {
    const answers = await ask(speaker, 'ask', 'who?');
    const expected = clients.map(({socket}) => `who? ${socket.id}`);
    check(is_same(answers.sort(), expected.sort()), `answers: ${answers.length}`);
  }

  // Binary, short and long.  JSON makes something else of it on its way to another worker, also
  // with Node's primary.
  for (const size of [10, 500_000]) {
    const bytes = Buffer.alloc(size, 'binary');
    for (const speaker of speakers()) {
      await emit(speaker, clients, {values: [{bytes, list: [bytes, 1]}]});
      for (const client of clients) {
        const {bytes: one, list: [other, number]} = client.values[0];
        const is_binary = client.slot === speaker.slot || binary_survives;
        check(number === 1 && Buffer.isBuffer(one) === is_binary, 'binary');
        for (const each of [one, other])
          check(Buffer.from(each.data ?? each).equals(bytes), 'bytes');
      }
    }
  }
  console.log('good');
  for (const {socket} of clients)
    socket.disconnect();
}

try_all();
