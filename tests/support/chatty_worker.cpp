// SPDX-License-Identifier: MIT
// A worker that writes numbered lines:  chatty-worker FOLDER LINES-PER-10-MS MOST-LINES
//
// Its lines are `PID NUMBER .` from 1 on, on its standard output.  After each write FOLDER/PID says
// how many were written for certain, which a SIGKILL cannot take back.
#include <usher/worker/acceptor.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include <fcntl.h>
#include <unistd.h>

namespace asio = boost::asio;

namespace {

class Chatter {
public:
    Chatter(asio::io_context& io, const std::string& folder, long lines, long most)
        : timer_{io},
          record_{::open((folder + "/" + std::to_string(::getpid())).c_str(),
                         O_WRONLY | O_CREAT | O_CLOEXEC, 0600)},
          lines_{lines},
          most_{most}
    {
    }

    void go_on()
    {
        timer_.expires_after(std::chrono::milliseconds{10});
        timer_.async_wait([this](const boost::system::error_code& cancelled) {
            if (cancelled || stopped_ || written_ >= most_)
                return;
            write_some();
            go_on();
        });
    }

    void stop()
    {
        stopped_ = true; // the timer may have fired already
        timer_.cancel();
    }

private:
    void write_some()
    {
        std::string text;
        for (long i = 0; i < lines_; ++i)
            text += std::to_string(::getpid()) + " " + std::to_string(++written_) + " .\n";
        for (std::size_t done = 0; done < text.size();) {
            const auto count = ::write(STDOUT_FILENO, text.data() + done, text.size() - done);
            if (count <= 0)
                std::exit(1);
            done += static_cast<std::size_t>(count);
        }
        const auto number = std::to_string(written_);
        if (::pwrite(record_, number.data(), number.size(), 0) < 0)
            std::exit(1);
    }

    asio::steady_timer timer_;
    int record_;
    long lines_;
    long most_;
    long written_ = 0;
    bool stopped_ = false;
};

/// Takes connections until there will be no more.
void accept_next(usher::worker::Acceptor& acceptor, Chatter& chatter)
{
    acceptor.async_accept([&](boost::system::error_code error, const usher::worker::Connection&) {
        if (error)
            return chatter.stop();
        accept_next(acceptor, chatter);
    });
}

} // namespace

int main(int argc, char** argv)
try {
    if (argc != 4)
        return std::fputs("usage: chatty-worker FOLDER LINES-PER-10-MS MOST-LINES\n", stderr), 2;
    asio::io_context io{1};
    usher::worker::Acceptor acceptor{io};
    Chatter chatter{io, argv[1], std::atol(argv[2]), std::atol(argv[3])};
    acceptor.ready();
    accept_next(acceptor, chatter);
    chatter.go_on();
    io.run();
} catch (const std::exception& error) {
    std::fprintf(stderr, "chatty-worker: %s\n", error.what());
    return 1;
}
