// SPDX-License-Identifier: MIT
//
// What a read of the store costs a worker: fills a copy of 10,000 keys and reads them in random
// order.
//
//     store_read [KEYS]
//
// Then it reads them all once more in seccomp's strict mode, where a system call other than
// read(2), write(2) and the end kills: that it prints anything says that a read makes none.
#include <usher/worker/store.hpp>

#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

using usher::worker::Bus;
using usher::worker::Store;

constexpr int rounds = 200;

/// Reads all keys many times; nanoseconds a read, of the quickest round.
template <typename Get>
double measure(const std::vector<std::string>& keys, Get get)
{
    double best = 1e9;
    for (int i = 0; i < rounds; ++i) {
        const auto start = std::chrono::steady_clock::now();
        std::size_t bytes = 0;
        for (const auto& key : keys)
            bytes += get(key);
        const std::chrono::duration<double, std::nano> taken =
            std::chrono::steady_clock::now() - start;
        best = std::min(best, taken.count() / static_cast<double>(keys.size()));
        if (bytes == 0)
            throw std::runtime_error{"there is no copy"};
    }
    return best;
}

/// Writes the copy from the master's end, and reads it from the worker's.
void fill(int master, boost::asio::io_context& io, Store& store,
          const std::vector<std::string>& keys)
{
    const auto say = [master, &io](const std::string& line) {
        if (::send(master, line.data(), line.size(), 0) != static_cast<ssize_t>(line.size()))
            throw std::runtime_error{"send"};
        io.restart();
        io.poll();
    };
    std::optional<boost::system::error_code> opened;
    store.async_open([&opened](boost::system::error_code error) { opened = error; });
    say("{\"type\":\"snapshot\",\"revision\":1,\"keys\":1}\n");
    for (const auto& key : keys)
        say(R"({"type":"set","key":")" + key + R"(","value":{"count":17},"revision":1})" + "\n");
    say("{\"type\":\"synced\",\"revision\":1}\n");
    while (!opened) {
        io.restart();
        io.run_one();
    }
}

} // namespace

int main(int argc, char** argv)
try {
    std::array<int, 2> fds{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) < 0)
        throw std::runtime_error{"socketpair"};
    ::setenv("USHER_BUS_FD", std::to_string(fds[1]).c_str(), 1);

    std::vector<std::string> keys(argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 10'000);
    for (std::size_t i = 0; i < keys.size(); ++i)
        keys[i] = "session.user." + std::to_string(1'000'000 + i);
    boost::asio::io_context io{1};
    Bus bus{io};
    Store store{bus};
    fill(fds[0], io, store, keys);
    std::ranges::shuffle(keys, std::mt19937{17});

    const double any = measure(keys, [&store](const std::string& key) {
        const auto value = store.get(key);
        return value ? value->data.size() : 0;
    });
    const double same = measure(keys, [&store, first = keys.front()](const std::string&) {
        return store.get(first)->data.size();
    });
    std::array<char, 200> text{};
    const int size = std::snprintf(
        text.data(), text.size(),
        "%zu keys, ns a read, no system call: %.0f in random order, %.0f of one key\n", keys.size(),
        any, same);
    ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
    bool is_whole = true;
    for (const auto& key : keys)
        is_whole = is_whole && store.get(key).has_value();
    (void)!::write(STDOUT_FILENO, text.data(), static_cast<std::size_t>(size));
    ::syscall(SYS_exit, is_whole ? 0 : 1);
} catch (const std::exception& e) {
    return std::fprintf(stderr, "store_read: %s\n", e.what()), 1;
}
