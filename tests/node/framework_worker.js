// A worker of a cluster written with what people write them with, for the tests:
//
//     node framework_worker.js express|fastify|http2|https|socket.io|ws
//
// Each says which worker it is and sends back what it gets, in the manner of its own.
'use strict';
const fs = require('fs');
const http = require('http');
const path = require('path');

const slot = process.env.USHER_SLOT;

function certificate() {
  const read = (name) => fs.readFileSync(path.join(process.env.CERTIFICATES, name));
  return {key: read('key.pem'), cert: read('cert.pem')};
}

function echo(request, response) {
  response.setHeader('X-Slot', slot);
  request.pipe(response);
}

const servers = {
  'express'() {
    const express = require('express');
    const app = express();
    app.use((request, response, next) => {
      response.set('X-Slot', slot);
      next();
    });
    app.use(express.text({type: '*/*', limit: '10mb'}));
    app.post('/echo', (request, response) => response.type('text/plain').send(request.body));
    app.listen(0, '127.0.0.1');
  },

  'fastify'() {
    // The latest is not for Node 18 any more.
    const old = Number(process.versions.node.split('.')[0]) < 20;
    const app = require(old ? 'fastify-4' : 'fastify')({bodyLimit: 10 << 20});
    app.addHook('onRequest', async (request, reply) => { reply.header('X-Slot', slot); });
    app.addContentTypeParser('*', {parseAs: 'string'}, (request, body, done) => done(null, body));
    app.post('/echo', async (request) => request.body);
    app.listen({port: 0, host: '127.0.0.1'});
  },

  'http2'() {
    require('http2').createSecureServer(certificate(), echo).listen(0, '127.0.0.1');
  },

  'https'() {
    require('https').createServer(certificate(), echo).listen(0, '127.0.0.1');
  },

  'socket.io'() {
    const {Server} = require('socket.io');
    const server = http.createServer();
    // With long polling a client comes by several connections, which are several workers'.
    const io = new Server(server, {transports: ['websocket'], maxHttpBufferSize: 10 << 20});
    io.on('connection', (socket) => socket.on('echo', (text, done) => done({slot, text})));
    server.listen(0, '127.0.0.1');
  },

  'ws'() {
    const {WebSocketServer} = require('ws');
    const server = http.createServer();
    const sockets = new WebSocketServer({server});
    sockets.on('headers', (headers) => headers.push(`X-Slot: ${slot}`));
    sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(data)));
    server.listen(0, '127.0.0.1');
  },
};

servers[process.argv[2]]();
