// What the hello worker answers, in JavaScript.
'use strict';

const http = require('node:http');

const body = 'Hello, World!\n';

exports.serve = (slot) => http.createServer((request, response) => {
    response.writeHead(200, {
        'Content-Type': 'text/plain',
        'Content-Length': body.length,
        'X-Pid': process.pid,
        'X-Slot': slot,
    });
    response.end(body);
});
