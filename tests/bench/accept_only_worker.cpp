// SPDX-License-Identifier: MIT
// Accepts and closes, and does nothing else: what is counted under it is the library's.
#include <usher/worker/acceptor.hpp>

#include <boost/asio/io_context.hpp>

#include <cstdio>
#include <exception>

namespace {

/// A plain handler, so that no coroutine frame is counted either.
void accept_next(usher::worker::Acceptor& acceptor)
{
    acceptor.async_accept(
        [&acceptor](boost::system::error_code error, const usher::worker::Connection&) {
            if (!error)
                accept_next(acceptor);
        });
}

} // namespace

int main()
try {
    boost::asio::io_context io{1};
    usher::worker::Acceptor acceptor{io};
    acceptor.ready();
    accept_next(acceptor);
    io.run();
} catch (const std::exception& error) {
    std::fprintf(stderr, "accept_only_worker: %s\n", error.what());
    return 1;
}
