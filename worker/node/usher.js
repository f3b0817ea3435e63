// SPDX-License-Identifier: MIT
//
// The library of usher's workers for Node: what they tell each other, and the small state that they
// share.  One file without dependencies: install it, or copy it beside your program.
//
//     const usher = require('usher');                    // or: import { bus } from 'usher'
//
//     usher.bus.subscribe('cache.*', ({ topic, data, from }) => cache.delete(data.id));
//     usher.bus.publish('cache.clear', { id: 7 });
//
//     usher.bus.respond('stats', () => process.memoryUsage());
//     const { replies, missing } = await usher.bus.request('stats');
//
//     usher.on('leader', async (isLeader) => { isLeader ? start() : await stop(); });
//
//     const store = await usher.store();                 // the whole of it: reading is local
//     await store.increment(`hits.${address}`, { ttl: 60_000 });
//
// The bus opens at its first use.  It keeps no program alive, but for the time that an answer is
// waited for.  Times are in milliseconds.  Without usher it is a bus of one, so that the same program
// runs alone.  Once the master is gone, publish() and send() do nothing, and what needs an answer is
// rejected with the code 'closed'.
'use strict';

const { EventEmitter } = require('events');
const fs = require('fs');
const net = require('net');
const { StringDecoder } = require('string_decoder');
const { inspect } = require('util');

const MAX_DATA = 65_536; // bytes of a message or a value as JSON
const MAX_NAME = 255; // bytes of a topic or a key
const MAX_WORDS = 32;
const MAX_DEPTH = 63; // of arrays and objects: the line itself is one more
const MOST_WAITING = 10_000; // messages that wait for whoever iterates
const MOST_UNSENT = 64 * 1024 * 1024; // characters that wait for the master
const WORD = /^(?:(?![.*>"\\])[!-~])+$/;

// For the master to answer anything: its event loop waits for nobody.
const PATIENCE = 5_000;

/** The master has refused something, or cannot be asked; `code` is the protocol's, or 'closed' or
 * 'timeout'.  With 'conflict', `revision` is what the key has. */
class BusError extends Error {
  constructor(code, reason, revision) {
    super(reason ? `${code}: ${reason}` : code);
    this.name = 'BusError';
    this.code = code;
    if (revision !== undefined)
      this.revision = revision;
  }
}

/** In JSON; a backslash before it would be another's. */
const HALF_CHARACTER = /(?:^|[^\\])(?:\\\\)*\\ud[89a-f]/;

/** How deep the arrays and objects in a JSON text nest. */
function depthOf(text) {
  let depth = 0;
  let deepest = 0;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[[{]|[\]}]/g)) {
    if (token === '[' || token === '{')
      deepest = Math.max(deepest, ++depth);
    else if (token[0] !== '"')
      --depth;
  }
  return deepest;
}

/** What JSON would write as null, and the master would take for not said. */
function checkNumbers(members) {
  for (const [name, value] of Object.entries(members)) {
    if (value !== undefined && value !== null && !Number.isFinite(value))
      throw new RangeError(`${name} must be a finite number, and is ${inspect(value)}`);
  }
}

function checkKey(key) {
  if (typeof key !== 'string' || key === '' || Buffer.byteLength(key) > MAX_NAME || key.includes('\0'))
    throw new TypeError(`${inspect(key)} is no key: a text of 1 to ${MAX_NAME} bytes without a zero byte`);
}

/** As wordsOf(), of a topic that a worker may use. */
function checkTopic(topic) {
  if (wordsOf(topic)[0] === 'usher')
    throw new TypeError(`${topic}: topics that begin with usher. are the master's`);
}

function encode(value) {
  const text = JSON.stringify(value === undefined ? null : value);
  if (text === undefined)
    throw new TypeError('the data cannot be written as JSON');
  if (text.length > MAX_DATA / 3) {
    const size = Buffer.byteLength(text);
    if (size > MAX_DATA)
      throw new RangeError(`the data have ${size} bytes as JSON, and may have ${MAX_DATA}: keep them ` +
        'elsewhere, and send where they are');
  }
  if (text.split('[').length + text.split('{').length > MAX_DEPTH && depthOf(text) > MAX_DEPTH)
    throw new RangeError(`the data nest too deep: ${MAX_DEPTH} levels may be sent`);
  return text;
}

/** Of a text of anybody's, which may have half a character, if only by being cut. */
function whole(text) {
  return Buffer.from(text).toString();
}

/** The words of a topic or a pattern; throws if it is none. */
function wordsOf(text, isPattern = false) {
  const words = String(text).split('.');
  const isWord = (word, place) => WORD.test(word) ||
    (isPattern && (word === '*' || (word === '>' && place === words.length - 1)));
  if (typeof text !== 'string' || text.length > MAX_NAME || words.length > MAX_WORDS ||
      !words.every(isWord))
    throw new TypeError(`${JSON.stringify(text)} is no ${isPattern ? 'pattern' : 'topic'}: it is up ` +
      `to ${MAX_WORDS} words of printable ASCII, joined by dots, of ${MAX_NAME} bytes in all` +
      (isPattern ? ', where "*" stands for one word and ">" at the end for one or more' : ''));
  return words;
}

function matches(pattern, topic) {
  for (let place = 0; place < pattern.length; place++) {
    if (pattern[place] === '>')
      return topic.length > place;
    if (place === topic.length || (pattern[place] !== '*' && pattern[place] !== topic[place]))
      return false;
  }
  return pattern.length === topic.length;
}

/** Values are handed out as they are, so nobody may change them. */
function freeze(value) {
  if (typeof value === 'object' && value !== null) {
    Object.values(value).forEach(freeze);
    Object.freeze(value);
  }
  return value;
}

function checkHandler(handler) {
  if (handler !== undefined && typeof handler !== 'function')
    throw new TypeError('the handler is no function');
}

/** Messages that wait for whoever iterates; the oldest are lost when they are too many. */
class Waiting {
  #items = [];

  get size() {
    return this.#items.length;
  }

  put(item) {
    this.#items.push(item);
    return this.#items.length > MOST_WAITING ? this.#items.splice(0, MOST_WAITING / 10).length : 0;
  }

  take() {
    return this.#items.shift();
  }
}

/** Changes that wait, of each key the last: never more than the store has. */
class Changes {
  #changes = new Map();

  get size() {
    return this.#changes.size;
  }

  put(change) {
    this.#changes.delete(change.key); // behind those that came before
    this.#changes.set(change.key, change);
    return 0;
  }

  take() {
    const [key, change] = this.#changes.entries().next().value;
    this.#changes.delete(key);
    return change;
  }
}

/** What subscribe() and watch() return.  Without a handler it is iterated over, by `for await`. */
class Inbox {
  #bus;
  #handler;
  #waiting;
  #leave;
  #wake = null;
  #isClosed = false;

  constructor(bus, handler, waiting, leave) {
    this.#bus = bus;
    this.#handler = handler;
    this.#waiting = waiting;
    this.#leave = leave;
    this.ready = Promise.resolve(); // once usher knows of it
  }

  /** Nothing more comes, and an iteration ends. */
  close() {
    if (!this.#isClosed) {
      this.end();
      this.#leave(this);
    }
  }

  end() {
    this.#isClosed = true;
    this.#wake?.();
  }

  put(item) {
    if (this.#handler) {
      call(this.#handler, item);
    } else {
      this.#bus.countLost(this.#waiting.put(item));
      this.#wake?.();
    }
  }

  async *[Symbol.asyncIterator]() {
    try {
      for (;;) {
        while (this.#waiting.size > 0)
          yield this.#waiting.take();
        if (this.#isClosed)
          return;
        await new Promise((resolve) => { this.#wake = resolve; });
        this.#wake = null;
      }
    } finally {
      this.close();
    }
  }
}

/** What a handler throws is nobody's here, and must not keep the next line from being read. */
function call(handler, ...values) {
  try {
    return handler(...values);
  } catch (error) {
    process.nextTick(() => { throw error; });
    return undefined;
  }
}

/** This worker's copy of the store, kept by what the master says of it. */
class Copy {
  entries = new Map(); // key -> {value, revision}
  #coming = null;
  #erased = new Map(); // while a copy comes: what it may have still, too old

  begin() {
    this.#coming = new Map();
    this.#erased.clear();
  }

  set({ key, value, revision }) {
    const entries = this.#coming ?? this.entries;
    if (revision <= Math.max(entries.get(key)?.revision ?? 0, this.#erased.get(key) ?? 0))
      return [];
    entries.set(key, { value: freeze(value), revision });
    return this.#coming ? [] : [{ key, value, revision, erased: false, expired: false }];
  }

  erase({ key, revision, expired = false }) {
    const entries = this.#coming ?? this.entries;
    if (this.#coming)
      this.#erased.set(key, revision);
    if (revision <= (entries.get(key)?.revision ?? revision))
      return [];
    entries.delete(key);
    return this.#coming ? [] : [{ key, value: undefined, revision, erased: true, expired }];
  }

  /** The copy is whole; what is different from the one before. */
  end(revision) {
    if (!this.#coming)
      return [];
    const before = this.entries;
    this.entries = this.#coming;
    this.#coming = null;
    this.#erased.clear();
    const changes = [];
    for (const key of before.keys()) {
      if (!this.entries.has(key))
        changes.push({ key, value: undefined, revision, erased: true, expired: false });
    }
    for (const [key, entry] of this.entries) {
      if (before.get(key)?.revision !== entry.revision)
        changes.push({ key, ...entry, erased: false, expired: false });
    }
    return changes;
  }
}

/** Small values that workers share.  Reading is local; what is written has been acknowledged, and is
 * in this worker's own copy, when the promise is fulfilled. */
class Store {
  #bus;
  #copy;

  constructor(bus, copy) {
    this.#bus = bus;
    this.#copy = copy;
  }

  /** The value, which is frozen; undefined if there is none. */
  get(key) {
    return this.#copy.entries.get(key)?.value;
  }

  has(key) {
    return this.#copy.entries.has(key);
  }

  /** The revision that wrote the key; 0 if it is not there. */
  revision(key) {
    return this.#copy.entries.get(key)?.revision ?? 0;
  }

  keys(prefix = '') {
    return [...this.#copy.entries.keys()].filter((key) => key.startsWith(prefix)).sort();
  }

  /** Fulfilled with the new revision.  With `expected` rejected by 'conflict' unless the key has that
   * revision (0: is not there). */
  async put(key, value, { ttl, expected } = {}) {
    checkKey(key);
    checkNumbers({ ttl, expected });
    const answer = await this.#bus.ask({ type: 'put', key, ttl_ms: ttl, expected }, value);
    return answer.revision;
  }

  /** Puts `change(value)` in place of the value, anew if somebody else was faster.  Fulfilled with
   * the new value. */
  async update(key, change, { ttl } = {}) {
    let value = this.get(key);
    let expected = this.revision(key);
    for (;;) {
      const changed = await change(value);
      try {
        await this.put(key, changed, { ttl, expected });
        return changed;
      } catch (error) {
        if (error.code !== 'conflict')
          throw error;
      }
      const answer = await this.#bus.ask({ type: 'get', key });
      expected = answer.revision;
      value = expected === 0 ? undefined : freeze(answer.value);
    }
  }

  async erase(key, { expected } = {}) {
    checkKey(key);
    checkNumbers({ expected });
    await this.#bus.ask({ type: 'erase', key, expected });
  }

  /** Fulfilled with the sum.  `ttl` counts only where there was none before. */
  async increment(key, { by = 1, ttl } = {}) {
    checkKey(key);
    checkNumbers({ by, ttl });
    const answer = await this.#bus.ask({ type: 'increment', key, by, ttl_ms: ttl });
    return answer.value;
  }

  /** The keys that begin with `prefix`, first as they are and then when they change.  Of several
   * changes that come fast the last is enough. */
  watch(prefix, handler) {
    return this.#bus.watch(prefix, handler);
  }
}

/** Speaks the section "Bus" of docs/worker-protocol.md. */
class Bus extends EventEmitter {
  isLeader = false;
  isClosed = false;
  lost = 0; // messages and requests that came too fast for this program
  #link = null;
  #unread = '';
  #unsent = '';
  #isWelcome = false;
  #identity = null;
  #lastId = 0;
  #pending = new Map(); // by id: {resolve, reject, replies, timer}
  #patterns = new Map(); // pattern -> {words, inboxes, responders}
  #watches = new Set(); // [prefix, inbox]
  #copy = new Copy();
  #whole = null; // a promise: the copy is whole
  #isKept = false; // by ref()
  #turn = Promise.resolve(); // of the handlers of 'leader'
  #isStopping = false; // as the leader, and has not resigned yet
  #campaignsAgain = false; // once it has
  #resigning = 0; // the id by which it said so; until that is answered

  constructor() {
    super();
    this.on('newListener', (event, listener) => {
      if (event !== 'leader')
        return;
      this.campaign();
      if (this.isLeader) // the others know already; this one is there in a moment
        queueMicrotask(() => this.isLeader && this.#lead(true, this.rawListeners('leader')
          .filter((each) => each === listener || each.listener === listener).slice(-1)));
    });
  }

  /** Fulfilled with who this worker is: {pool, slot, worker, generation, group, name}. */
  async identity() {
    this.#open();
    return this.#identity;
  }

  /** To whoever has subscribed.  With `wait` a promise of how many it went to. */
  publish(topic, data, { wait = false } = {}) {
    checkTopic(topic);
    return this.#post({ type: 'publish', topic }, data, wait);
  }

  /** To one worker, or to all others of a pool, subscribed or not; `topic` may be null. */
  send(topic, data, { pool, slot, wait = false } = {}) {
    if (topic !== null && topic !== undefined)
      checkTopic(topic);
    checkNumbers({ slot });
    return this.#post({ type: 'send', topic: topic ?? undefined, pool, slot }, data, wait);
  }

  /** Asks all others who have subscribed, or those of `pool` and `slot`: a promise of
   * {replies: [{from, data} or {from, error}], missing: ['web/4']}. */
  async request(topic, data, { timeout = PATIENCE, max, pool, slot } = {}) {
    checkTopic(topic);
    checkNumbers({ timeout, max, slot });
    return this.ask({ type: 'request', topic, timeout_ms: Math.max(1, Math.round(timeout)), max, pool, slot }, data);
  }

  /** Calls `handler({topic, data, from})` for each message; without one, `for await` has them. */
  subscribe(pattern, handler) {
    checkHandler(handler);
    const inbox = new Inbox(this, handler, new Waiting(), () => this.#leave(pattern, 'inboxes', inbox));
    inbox.ready = this.#join(pattern, 'inboxes', inbox);
    return inbox;
  }

  /** Answers requests by what `handler({topic, data, from})` returns or throws, now or later. */
  respond(pattern, handler) {
    checkHandler(handler ?? null);
    const responder = { handler, close: () => this.#leave(pattern, 'responders', responder) };
    responder.ready = this.#join(pattern, 'responders', responder);
    return responder;
  }

  /** This worker would be the leader; so would whoever listens to 'leader'. */
  campaign() {
    this.#campaignsAgain = this.#isStopping; // what was begun before must have ended
    if (!this.#isStopping)
      this.#say({ type: 'campaign' });
  }

  /** It would not, or no longer. */
  resign() {
    this.#campaignsAgain = false;
    if (this.isLeader)
      this.#beLeader(false);
    else if (!this.#isStopping)
      this.#sayResign();
  }

  /** A promise of the store: its copy is here. */
  async store() {
    if (!this.#whole) {
      this.#whole = this.#await('sync', PATIENCE).then(() => new Store(this, this.#copy));
      this.#whole.catch(() => { this.#whole = null; }); // so that it can be tried again
      this.#say({ type: 'sync' });
    }
    return this.#whole;
  }

  /** Keeps the program alive until unref(). */
  ref() {
    this.#open();
    this.#isKept = true;
    this.#keepAlive();
  }

  unref() {
    this.#isKept = false;
    this.#keepAlive();
  }

  // For the classes above.

  /** Sends a message with an id; a promise of its answer. */
  async ask(message, ...data) {
    const id = ++this.#lastId;
    const isRequest = message.type === 'request';
    this.#say({ ...message, id }, ...data);
    return this.#await(id, isRequest ? message.timeout_ms + PATIENCE : PATIENCE, isRequest ? [] : undefined);
  }

  countLost(count) {
    if (count > 0) {
      this.lost += count;
      call(() => this.emit('lost', count));
    }
  }

  watch(prefix = '', handler = undefined) {
    checkHandler(handler);
    let isLeft = false;
    const inbox = new Inbox(this, handler, new Changes(), () => {
      isLeft = true;
      this.#watches.delete(watch);
    });
    const watch = [prefix, inbox];
    queueMicrotask(() => { // so that a handler knows what this returns
      if (isLeft)
        return;
      this.#watches.add(watch);
      for (const [key, entry] of this.#copy.entries) {
        if (key.startsWith(prefix) && !isLeft)
          inbox.put({ key, ...entry, erased: false, expired: false });
      }
      if (this.isClosed)
        inbox.end();
    });
    return inbox;
  }

  // What the master says.

  #receive(text) {
    const lines = (this.#unread + text).split('\n');
    this.#unread = lines.pop();
    for (const line of lines) {
      let message;
      try {
        message = JSON.parse(line);
      } catch {
        continue;
      }
      // What comes before was meant for whoever had the bus before.
      if (!this.#isWelcome && message?.type !== 'welcome')
        continue;
      try {
        this.#take(message);
      } catch (error) {
        process.emitWarning(`the bus says what cannot be read: ${error.message}: ${line.slice(0, 200)}`, 'UsherWarning');
      }
    }
  }

  #take(message) {
    switch (message?.type) {
      case 'welcome': {
        const { pool, slot, worker, generation, group } = message;
        this.#isWelcome = true;
        this.#settle('welcome', { pool, slot, worker, generation, group, name: `${pool}/${slot}` });
        break;
      }
      case 'message':
        this.#takeMessage(message);
        break;
      case 'request':
        this.#takeRequest(message);
        break;
      case 'reply': {
        const { from, data, error } = message;
        this.#pending.get(message.id)?.replies?.push(error === undefined ? { from, data } : { from, error });
        break;
      }
      case 'done':
        this.#settle(message.id, { replies: this.#pending.get(message.id)?.replies, missing: message.missing });
        break;
      case 'ok':
        if (message.id === this.#resigning)
          this.#resigning = 0;
        this.#settle(message.id, message);
        break;
      case 'error': {
        const error = new BusError(message.code, message.reason, message.revision);
        if (!this.#settle(message.id, undefined, error))
          process.emitWarning(`the bus has refused something: ${error.message}`, 'UsherWarning');
        break;
      }
      case 'lost':
        this.countLost(message.count);
        break;
      case 'leader':
        // Not what was on its way when this worker resigned: the master has named another since.
        if (message.is !== this.isLeader && !this.#isStopping && this.#resigning === 0)
          this.#beLeader(message.is);
        break;
      case 'snapshot':
        this.#copy.begin();
        break;
      case 'set':
        this.#tell(this.#copy.set(message));
        break;
      case 'erased':
        this.#tell(this.#copy.erase(message));
        break;
      case 'synced':
        this.#tell(this.#copy.end(message.revision));
        this.#settle('sync');
        break;
    }
  }

  #takeMessage({ topic, data, from }) {
    const message = { topic, data, from };
    const inboxes = this.#matching(topic, 'inboxes');
    inboxes.forEach((inbox) => inbox.put(message));
    if (inboxes.length === 0)
      call(() => this.emit('message', message));
  }

  async #takeRequest({ id, topic, data, from, timeout_ms: timeout }) {
    const [responder] = this.#matching(topic, 'responders');
    let error = `nobody here answers ${topic}`;
    if (responder) {
      try {
        this.#say({ type: 'reply', id }, await responder.handler({ topic, data, from, timeout }));
        return;
      } catch (problem) {
        error = String(problem?.message ?? problem).slice(0, 1000);
      }
    }
    this.#say({ type: 'reply', id, error: whole(error) });
  }

  #tell(changes) {
    for (const change of changes) {
      for (const [prefix, inbox] of this.#watches) {
        if (change.key.startsWith(prefix))
          inbox.put(change);
      }
    }
  }

  #beLeader(isLeader) {
    this.isLeader = isLeader;
    this.#isStopping = !isLeader;
    this.#lead(isLeader, this.rawListeners('leader'));
  }

  async #lead(isLeader, listeners) {
    const before = this.#turn;
    this.#turn = (async () => {
      await before; // who becomes the leader again must have stopped first
      const call = async (listener) => listener.call(this, isLeader);
      return Promise.allSettled(listeners.map(call)); // one that fails stops no other
    })();
    const results = await this.#turn;
    if (!isLeader) {
      this.#isStopping = false;
      this.#sayResign();
      if (this.#campaignsAgain)
        this.campaign();
    }
    const failed = results.find(({ status }) => status === 'rejected');
    if (failed)
      throw failed.reason; // which nobody handles
  }

  #sayResign() {
    this.#resigning = ++this.#lastId;
    this.#say({ type: 'resign', id: this.#resigning });
  }

  // How it is done.

  #matching(topic, kind) {
    if (typeof topic !== 'string')
      return [];
    const words = topic.split('.');
    const found = [];
    for (const pattern of this.#patterns.values()) {
      if (matches(pattern.words, words))
        found.push(...pattern[kind]);
    }
    return found;
  }

  #join(pattern, kind, one) {
    this.#open();
    const known = this.#patterns.get(pattern);
    if (known) {
      known[kind].push(one);
      return known.ready;
    }
    const entry = { words: wordsOf(pattern, true), inboxes: [], responders: [], ready: null };
    entry[kind].push(one);
    this.#patterns.set(pattern, entry);
    entry.ready = this.ask({ type: 'subscribe', pattern }).then(() => {});
    entry.ready.catch((error) => {
      if (error.code !== 'closed' && this.#patterns.get(pattern) === entry)
        this.#patterns.delete(pattern); // so that it can be tried again
      if (error.code !== 'closed')
        process.emitWarning(`subscribing to ${pattern}: ${error.message}`, 'UsherWarning');
    });
    return entry.ready;
  }

  #leave(pattern, kind, one) {
    const entry = this.#patterns.get(pattern);
    if (!entry)
      return; // it was refused
    entry[kind] = entry[kind].filter((each) => each !== one);
    if (entry.inboxes.length + entry.responders.length === 0) {
      this.#patterns.delete(pattern);
      this.#say({ type: 'unsubscribe', pattern });
    }
  }

  #post(message, data, wait) {
    if (wait)
      return this.ask(message, data).then((answer) => answer.receivers);
    this.#say(message, data);
    return undefined;
  }

  #say(message, ...data) {
    this.#open();
    let line = JSON.stringify(message);
    if (data.length > 0)
      line = `${line.slice(0, -1)},"${message.type === 'put' ? 'value' : 'data'}":${encode(data[0])}}`;
    if (line.includes('\\ud') && HALF_CHARACTER.test(line))
      throw new TypeError('a text has half a character (a lone surrogate), which cannot be sent');
    if (this.isClosed)
      return;
    if (this.#unsent.length + this.#link.writableLength > MOST_UNSENT)
      throw new BusError('closed', 'usher has not read from the bus for so long that nothing more fits');
    if (this.#unsent === '')
      setImmediate(() => this.#flush()); // with all that this turn has to say
    this.#unsent += `${line}\n`;
  }

  #flush() {
    const lines = this.#unsent;
    this.#unsent = '';
    if (lines !== '' && !this.isClosed)
      this.#link.write(lines);
  }

  #open() {
    if (this.#link)
      return;
    this.#link = openLink(() => this.#unsent);
    this.#link.setEncoding('utf8');
    this.#link.on('data', (text) => this.#receive(text));
    this.#link.on('error', () => {}); // that it has ended is told by 'close'
    this.#link.on('close', () => this.#end());
    this.#link.unref();
    this.#identity = this.#await('welcome', PATIENCE);
    this.#identity.catch((error) => {
      if (error.code !== 'closed')
        process.emitWarning(`the bus: ${error.message}`, 'UsherWarning');
    });
    // The line feed ends half a line that another process may have left.
    this.#unsent = `\n{"type":"hello","protocol":1}\n${this.#unsent}`;
    setImmediate(() => this.#flush());
  }

  /** A promise of what settles `id`. */
  #await(id, patience, replies) {
    this.#open();
    return new Promise((resolve, reject) => {
      if (this.isClosed) {
        reject(closed());
        return;
      }
      const timer = setTimeout(() => this.#settle(id, undefined,
        new BusError('timeout', `usher has not answered on the bus within ${patience} ms`)), patience);
      this.#pending.set(id, { resolve, reject, replies, timer });
      this.#keepAlive();
    });
  }

  #settle(id, value, error) {
    const pending = this.#pending.get(id);
    if (!pending)
      return false;
    this.#pending.delete(id);
    clearTimeout(pending.timer);
    error ? pending.reject(error) : pending.resolve(value);
    this.#keepAlive();
    return true;
  }

  #keepAlive() {
    if (this.#isKept || this.#pending.size > 0)
      this.#link?.ref();
    else
      this.#link?.unref();
  }

  /** The master is gone: this worker serves on without a bus. */
  #end() {
    this.isClosed = true;
    for (const id of [...this.#pending.keys()])
      this.#settle(id, undefined, closed());
    if (this.isLeader)
      this.#beLeader(false);
    for (const { inboxes } of this.#patterns.values())
      inboxes.forEach((inbox) => inbox.end());
    for (const [, inbox] of this.#watches)
      inbox.end();
    this.emit('close');
  }
}

function closed() {
  return new BusError('closed', 'usher has ended');
}

/** The stream that this process inherited; without usher one of its own. */
function openLink(unsent) {
  const fd = inherited.fd;
  if (fd === undefined) {
    if (process.env.USHER_SLOT !== undefined)
      throw new Error('USHER_BUS_FD is not set although USHER_SLOT is: the bus is for the process that ' +
        'usher starts, and for its main thread');
    return new Alone();
  }
  let isSocket = false;
  try {
    isSocket = fs.statSync(`/proc/self/fd/${fd}`).isSocket(); // Deno's fstat() knows its own files alone
  } catch {} // not open
  if (!isSocket)
    throw new Error(`USHER_BUS_FD names descriptor ${fd}, which is no socket: the bus is for the process ` +
      'that usher starts, not for those that it starts itself');
  const socket = process.versions.bun ? new BunSocket(fd) : new net.Socket({ fd, readable: true, writable: true });
  process.on('exit', () => {
    try {
      if (socket.writableLength === 0 && !socket.destroyed) // else it would come into the middle of a line
        fs.writeSync(fd, unsent()); // what was said in the last turn
    } catch {} // usher is gone, or does not read
  });
  return socket;
}

/** What is used of net.Socket, which in Bun 1.4 takes no descriptor. */
class BunSocket extends EventEmitter {
  #socket = null; // once it is open
  #unsent = Buffer.alloc(0);
  #decoder = new StringDecoder('utf8');
  #isKept = false;

  constructor(fd) {
    super();
    globalThis.Bun.connect({
      fd,
      socket: {
        open: (socket) => {
          this.#socket = socket;
          this.#isKept ? socket.ref() : socket.unref();
          this.write('');
        },
        data: (_, data) => this.emit('data', this.#decoder.write(data)),
        drain: () => this.write(''),
        close: () => this.emit('close'),
        error: () => {}, // `close` follows
      },
    }).catch(() => this.emit('close'));
  }

  get writableLength() {
    return this.#unsent.length;
  }

  setEncoding() {}

  ref() {
    this.#isKept = true;
    this.#socket?.ref();
  }

  unref() {
    this.#isKept = false;
    this.#socket?.unref();
  }

  write(text) {
    this.#unsent = Buffer.concat([this.#unsent, Buffer.from(text)]);
    if (this.#socket && this.#unsent.length > 0)
      this.#unsent = this.#unsent.subarray(Math.max(0, this.#socket.write(this.#unsent)));
  }
}

/** The master's part for a program that runs without usher: a bus of one, in memory. */
class Alone extends EventEmitter {
  writableLength = 0;
  #patterns = new Set();
  #values = new Map(); // key -> {value, revision, timer}
  #revision = 0;
  #requests = new Map(); // our number -> that of who asked

  setEncoding() {}
  ref() {}
  unref() {}

  write(lines) {
    for (const line of lines.split('\n').filter((each) => each !== ''))
      this.#take(JSON.parse(line));
  }

  #say(type, members) {
    const line = `${JSON.stringify({ type, ...members })}\n`;
    setImmediate(() => this.emit('data', line));
  }

  #ok({ id }, members) {
    if (id !== undefined)
      this.#say('ok', { id, ...members });
  }

  #take(message) {
    const { type, id, key, topic, data } = message;
    switch (type) {
      case 'hello':
        this.#say('welcome', { protocol: 1, pool: 'alone', slot: 1, worker: 1, generation: 1, group: 'alone' });
        break;
      case 'subscribe':
        this.#patterns.add(message.pattern);
        this.#ok(message);
        break;
      case 'unsubscribe':
        this.#patterns.delete(message.pattern);
        break;
      case 'publish':
        this.#deliver(message, [...this.#patterns].some((each) => matches(each.split('.'), topic.split('.'))));
        break;
      case 'send':
        this.#deliver(message, this.#isHere(message));
        break;
      case 'request':
        if (this.#isHere(message)) {
          this.#requests.set(id, id);
          this.#say('request', { id, topic, from: 'alone/1', timeout_ms: message.timeout_ms, data });
        } else { // it is for others, and there are none
          this.#say('done', { id, replies: 0, missing: [] });
        }
        break;
      case 'reply':
        this.#say('reply', { ...message, from: 'alone/1' });
        this.#say('done', { id, replies: 1, missing: [] });
        break;
      case 'campaign':
        this.#say('leader', { is: true });
        break;
      case 'resign':
        this.#ok(message);
        break;
      case 'sync':
        this.#say('snapshot', { revision: this.#revision, keys: this.#values.size });
        for (const [each, { value, revision }] of this.#values)
          this.#say('set', { key: each, value, revision });
        this.#say('synced', { revision: this.#revision });
        break;
      case 'put':
        if (this.#isExpected(message)) {
          clearTimeout(this.#values.get(key)?.timer);
          this.#set(key, message.value, this.#timer(message));
          this.#ok(message, { revision: this.#revision });
        }
        break;
      case 'erase':
        if (this.#isExpected(message)) {
          this.#erase(key, false);
          this.#ok(message, { revision: this.#revision });
        }
        break;
      case 'increment':
        this.#increment(message);
        break;
      case 'get': {
        const { value, revision = 0 } = this.#values.get(key) ?? {};
        this.#ok(message, { value, revision });
        break;
      }
    }
  }

  #isHere({ pool = 'alone', slot }) {
    return pool === 'alone' && slot === 1;
  }

  #deliver(message, isForUs) {
    const { topic, data } = message;
    if (isForUs)
      this.#say('message', { topic, from: 'alone/1', data });
    this.#ok(message, { receivers: Number(isForUs) });
  }

  #increment(message) {
    const { id, key, by } = message;
    const { value = 0, timer = undefined } = this.#values.get(key) ?? { timer: this.#timer(message) };
    if (!Number.isInteger(value)) {
      this.#say('error', { id, code: 'not-a-number', reason: `${key} is no whole number` });
      return;
    }
    this.#set(key, value + by, timer);
    this.#ok(message, { revision: this.#revision, value: value + by });
  }

  #isExpected({ id, key, expected }) {
    const revision = this.#values.get(key)?.revision ?? 0;
    if (expected === undefined || expected === revision)
      return true;
    this.#say('error', { id, code: 'conflict', reason: 'the key has another revision', revision });
    return false;
  }

  #set(key, value, timer) {
    this.#values.set(key, { value, revision: ++this.#revision, timer });
    this.#say('set', { key, value, revision: this.#revision });
  }

  #erase(key, expired) {
    clearTimeout(this.#values.get(key)?.timer);
    if (this.#values.delete(key))
      this.#say('erased', { key, revision: ++this.#revision, expired });
  }

  #timer({ key, ttl_ms: ttl }) {
    if (ttl === undefined)
      return undefined;
    const end = Date.now() + ttl;
    const timer = setInterval(() => {
      if (Date.now() >= end) {
        clearInterval(timer);
        this.#erase(key, true);
      }
    }, Math.min(ttl, 2 ** 31 - 1)); // a longer one would be over at once
    return timer.unref();
  }
}

// Taken at once, so that programs that this one starts do not find it.  One per process, of however
// many copies of this file.
const inherited = (globalThis[Symbol.for('usher.inherited')] ??= {
  fd: process.env.USHER_BUS_FD === undefined ? undefined : Number(process.env.USHER_BUS_FD),
});
delete process.env.USHER_BUS_FD;

const bus = (globalThis[Symbol.for('usher.bus')] ??= new Bus());

exports.bus = bus;
exports.BusError = BusError;
exports.store = () => bus.store();
exports.on = (event, listener) => bus.on(event, listener);
exports.once = (event, listener) => bus.once(event, listener);
exports.off = (event, listener) => bus.off(event, listener);
Object.defineProperty(exports, 'isLeader', { enumerable: true, get: () => bus.isLeader });
