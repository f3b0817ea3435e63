// SPDX-License-Identifier: MIT
#include "balancer/command/usage_text.hpp"

namespace usher {

namespace {

const std::string run_usage = R"(Usage:
  usher run [--config FILE] [--listen ADDR]... [--workers N|auto]
            [--dialect NAME] [--backlog N] [--control PATH] [-- COMMAND ARG...]
)";

const std::string exit_codes = R"(
Exit codes:
  0   done
  1   failed
  2   wrong usage, or an address is in use
  3   wrong configuration
)";

const std::string more_exit_codes = R"(  4   no usher is running there
  5   rolled back: the new generation crashed, the old one serves
  6   no result within --timeout
)";

} // namespace

std::string version_text()
{
    return "usher " USHER_VERSION "\n";
}

std::string help_text()
{
    return std::string{R"(usher: one front door for many worker processes

)"} + run_usage +
           R"(  usher check --config FILE [--dump]
  usher status | reload | restart | drain | scale | send | stop | events
  usher --version | --help

Commands:
  run      accept every connection and hand it to the next worker, round robin
  check    say whether a configuration file is valid
  status   show pools and workers of a running usher
  reload   read the configuration again and bring in a new generation of workers
  restart  replace one worker or all
  drain    let one worker finish and leave its slot empty
  scale    change the number of workers
  send     send a message to the programs of workers of dialect node
  stop     drain and end everything
  events   show what has happened last, and with -f what happens

  usher COMMAND --help says more about each.

Examples:
  usher run --listen 8000 -- ./my-server
  usher run --config usher.json
)" + exit_codes +
           more_exit_codes;
}

std::string control_help_text()
{
    return std::string{
               R"(usher status, reload, restart, drain, scale, send, stop, events: speak to a running usher

Usage:
  usher status [--json]
  usher reload [--dry-run]
  usher restart SLOT|all [--pool NAME]
  usher drain SLOT [--pool NAME]
  usher scale N|+N|-N [--pool NAME]
  usher send JSON|- [--worker SLOT] [--pool NAME]
  usher stop [--now] [--no-wait]
  usher events [-f] [--json]

Options:
  --control PATH   its control socket (default $XDG_RUNTIME_DIR/usher.sock, or
                   /run/usher.sock)
  --pool NAME      which pool, where there are several; send without it: all
  --worker SLOT    which worker; without it: all
  --timeout TIME   for all but events: how long to wait for the result, e.g. 30s or
                   500ms; the master goes on with what it was asked
  --json           as JSON, one object a line
  --dry-run        only say what the reload would do
  --now            do not let connections finish
  --no-wait        do not wait until the master has ended
  -f, --follow     go on with what happens, until interrupted
  -h, --help       print this text

Exit codes:
  0   done
  1   failed, and nothing has changed
  2   wrong usage
  3   wrong configuration, and nothing has changed
)"} + more_exit_codes;
}

std::string run_help_text()
{
    return std::string{
               R"(usher run: accept every connection and hand it to the next worker, round robin

)"} + run_usage +
           R"(
Options:
  --config FILE       read the configuration from a JSON file; if it has one pool, the
                      options below replace what the file says of it
  --listen ADDR       where to listen; give it several times for several addresses
  --workers N|auto    how many workers, 1 to 1024, or auto: one for each CPU that usher
                      may use (default auto)
  --dialect NAME      how the workers receive connections: native, by the worker protocol;
                      preload, an unmodified program that listens on a port of its own;
                      node, a Node program that uses cluster, unmodified; listen-fds, a
                      program that takes listening sockets as from systemd; auto, at
                      present native (default auto)
  --backlog N         how many connections the kernel keeps waiting, 1 to 65535
                      (default 4096)
  --control PATH      where usher status and the other commands find this master
                      (default $XDG_RUNTIME_DIR/usher.sock, or /run/usher.sock)
  -- COMMAND ARG...   the program of the workers; everything behind -- belongs to it
  -h, --help          print this text

Addresses:
  8000                port 8000 on every interface, also written *:8000
  127.0.0.1:8000      an IPv4 address
  [::]:8000           an IPv6 address
  localhost:8000      all addresses of a name
  localhost:0         a free port, which the log names
  unix:/run/my.sock   a Unix-domain socket

Examples:
  usher run --listen 8000 -- ./my-server
  usher run --config usher.json --workers 2 --listen localhost:8000
  usher run --listen 8000 --dialect preload -- node app.js
  usher run --dialect node --workers 4 -- node server.js
)" + exit_codes;
}

std::string check_help_text()
{
    return std::string{R"(usher check: say whether a configuration file is valid

Usage:
  usher check --config FILE [--dump]

Options:
  --config FILE   the file to check
  --dump          print the configuration in effect, defaults included
  -h, --help      print this text

Examples:
  usher check --config usher.json
  usher check --config usher.json --dump

Exit codes:
  0   the file is valid
  2   wrong usage
  3   wrong configuration
)"};
}

} // namespace usher
