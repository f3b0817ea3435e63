// SPDX-License-Identifier: MIT
// A server in small steps, which knows nothing of usher: each argument is something to do with a
// socket, and what comes of it is a line on standard output.
//
//     preload-probe "socket 4" "bind 127.0.0.1:5000" listen accept peer
#include <array>
#include <atomic>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

constexpr int patience_ms = 10'000;

int listener = -1;
int connection = -1;
int poller = -1;
std::vector<int> listeners;
std::vector<int> fillers;

struct Address {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;

    sockaddr* data() { return reinterpret_cast<sockaddr*>(&storage); }
};

Address parse(const std::string& text)
{
    Address address;
    if (text.rfind("unix:", 0) == 0) {
        auto* const where = reinterpret_cast<sockaddr_un*>(&address.storage);
        where->sun_family = AF_UNIX;
        text.copy(where->sun_path, sizeof where->sun_path - 1, 5);
        address.size = sizeof *where;
        return address;
    }
    const auto colon = text.rfind(':');
    const auto port = static_cast<std::uint16_t>(std::stoi(text.substr(colon + 1)));
    if (text[0] == '[') {
        auto* const where = reinterpret_cast<sockaddr_in6*>(&address.storage);
        where->sin6_family = AF_INET6;
        where->sin6_port = htons(port);
        ::inet_pton(AF_INET6, text.substr(1, colon - 2).c_str(), &where->sin6_addr);
        address.size = sizeof *where;
    } else {
        auto* const where = reinterpret_cast<sockaddr_in*>(&address.storage);
        where->sin_family = AF_INET;
        where->sin_port = htons(port);
        ::inet_pton(AF_INET, text.substr(0, colon).c_str(), &where->sin_addr);
        address.size = sizeof *where;
    }
    return address;
}

std::string print(Address& address)
{
    std::array<char, INET6_ADDRSTRLEN> text{};
    switch (address.storage.ss_family) {
    case AF_INET: {
        const auto* const where = reinterpret_cast<sockaddr_in*>(&address.storage);
        ::inet_ntop(AF_INET, &where->sin_addr, text.data(), text.size());
        return std::string{text.data()} + ":" + std::to_string(ntohs(where->sin_port));
    }
    case AF_INET6: {
        const auto* const where = reinterpret_cast<sockaddr_in6*>(&address.storage);
        ::inet_ntop(AF_INET6, &where->sin6_addr, text.data(), text.size());
        return "[" + std::string{text.data()} + "]:" + std::to_string(ntohs(where->sin6_port));
    }
    case AF_UNIX:
        return "unix:" +
               (address.size > sizeof(sa_family_t)
                    ? std::string{reinterpret_cast<sockaddr_un*>(&address.storage)->sun_path}
                    : "");
    default:
        return "family " + std::to_string(address.storage.ss_family);
    }
}

std::string result(int value)
{
    return value < 0 ? ::strerrorname_np(errno) : "ok";
}

std::string flags_of(int fd)
{
    const bool blocks = (::fcntl(fd, F_GETFL) & O_NONBLOCK) == 0;
    const bool stays = (::fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0;
    return std::string{blocks ? "blocking" : "non-blocking"} + (stays ? "" : " close-on-exec");
}

std::string make_socket(const std::string& family)
{
    listener = ::socket(family == "4"   ? AF_INET
                        : family == "6" ? AF_INET6
                                        : AF_UNIX,
                        family == "udp" ? SOCK_DGRAM : SOCK_STREAM, 0);
    const int on = 1;
    ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    listeners.push_back(listener);
    return result(listener);
}

std::string accept_one(const std::string& how)
{
    Address peer;
    if (how.empty())
        connection = ::accept(listener, peer.data(), &peer.size);
    else
        connection = ::accept4(listener, peer.data(), &peer.size,
                               (how.find('n') != std::string::npos ? SOCK_NONBLOCK : 0) |
                                   (how.find('c') != std::string::npos ? SOCK_CLOEXEC : 0));
    if (connection < 0)
        return result(connection);
    return print(peer) + " " + flags_of(connection);
}

std::string name_by(int (*call)(int, sockaddr*, socklen_t*), int fd)
{
    Address address;
    return call(fd, address.data(), &address.size) < 0 ? result(-1) : print(address);
}

std::string option(const std::string& name)
{
    const int number = name == "type"     ? SO_TYPE
                       : name == "domain" ? SO_DOMAIN
                       : name == "listen" ? SO_ACCEPTCONN
                                          : SO_PROTOCOL;
    int value = -1;
    socklen_t size = sizeof value;
    return ::getsockopt(listener, SOL_SOCKET, number, &value, &size) < 0 ? result(-1)
                                                                         : std::to_string(value);
}

std::string set(const std::string& name)
{
    const int on = 1;
    if (name == "nodelay")
        return result(::setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
    if (name == "v6only")
        return result(::setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on));
    return result(::setsockopt(listener, SOL_SOCKET,
                               name == "reuseport" ? SO_REUSEPORT : SO_KEEPALIVE, &on, sizeof on));
}

/// "LEVEL NUMBER" and what follows it.
struct OptionStep {
    int level = 0;
    int number = 0;
    std::string value;

    explicit OptionStep(const std::string& text)
    {
        std::istringstream words{text};
        words >> level >> number >> value;
    }
};

/// A value is whole numbers with commas between them, or a text.
std::string set_option(const OptionStep& step)
{
    if (std::isalpha(static_cast<unsigned char>(step.value.front())) != 0)
        return result(::setsockopt(listener, step.level, step.number, step.value.data(),
                                   static_cast<socklen_t>(step.value.size())));
    std::vector<int> numbers;
    std::istringstream words{step.value};
    for (std::string word; std::getline(words, word, ',');)
        numbers.push_back(std::stoi(word));
    return result(::setsockopt(listener, step.level, step.number, numbers.data(),
                               static_cast<socklen_t>(numbers.size() * sizeof(int))));
}

std::string get_option(int fd, const OptionStep& step)
{
    std::array<int, 4> numbers{};
    socklen_t size = sizeof numbers;
    if (::getsockopt(fd, step.level, step.number, numbers.data(), &size) < 0)
        return result(-1);
    if (step.level == IPPROTO_TCP && step.number == TCP_CONGESTION)
        return reinterpret_cast<const char*>(numbers.data());
    std::string text;
    for (std::size_t i = 0; i < size / sizeof(int); ++i)
        text += (text.empty() ? "" : ",") + std::to_string(numbers.at(i));
    return text;
}

std::string wait_by(const std::string& how, int patience)
{
    int ready = 0;
    if (how == "select") {
        fd_set set;
        FD_ZERO(&set);
        FD_SET(listener, &set);
        timeval limit{.tv_sec = patience / 1'000, .tv_usec = patience % 1'000 * 1'000L};
        ready = ::select(listener + 1, &set, nullptr, nullptr, &limit);
    } else if (how == "poll") {
        pollfd entry{.fd = listener, .events = POLLIN, .revents = 0};
        ready = ::poll(&entry, 1, patience);
    } else {
        epoll_event event{};
        ready = ::epoll_wait(poller, &event, 1, patience);
        if (ready > 0 && event.data.fd != listener)
            return "somebody else";
    }
    return ready > 0 ? "readable" : "silent";
}

std::string add_to_epoll(std::uint32_t events)
{
    if (poller < 0)
        poller = ::epoll_create1(EPOLL_CLOEXEC);
    epoll_event event{};
    event.events = EPOLLIN | events;
    event.data.fd = listener;
    return result(::epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event));
}

/// Takes all descriptors up to a limit of 256 but the `spare` lowest ones that are free.
std::string fill_descriptors(std::size_t spare)
{
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = 256;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    for (int filler = -1; (filler = ::dup(STDIN_FILENO)) >= 0;)
        fillers.push_back(filler);
    for (std::size_t i = 0; i < spare; ++i)
        ::close(fillers.at(i));
    fillers.erase(fillers.begin(), fillers.begin() + static_cast<std::ptrdiff_t>(spare));
    return "ok";
}

std::string free_descriptors()
{
    for (const int filler : fillers)
        ::close(filler);
    fillers.clear();
    return "ok";
}

/// Two threads listen at once, each on its own of the two addresses the program listens on
/// already; again and again for this time.
std::string listen_in_threads(std::chrono::milliseconds span)
{
    std::array<Address, 2> wanted;
    for (std::size_t i = 0; i < 2; ++i)
        ::getsockname(listeners.at(i), wanted[i].data(), &wanted[i].size);
    const auto end = std::chrono::steady_clock::now() + span;
    while (std::chrono::steady_clock::now() < end) {
        std::atomic<int> waiting{2};
        std::array<std::string, 2> names;
        const auto listen_once = [&](std::size_t i) {
            const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
            (void)::bind(fd, wanted[i].data(), wanted[i].size);
            --waiting;
            while (waiting > 0) {
            } // whoever yields comes too late for a race
            names[i] = ::listen(fd, 1) < 0 ? result(-1) : name_by(::getsockname, fd);
            ::close(fd);
        };
        std::thread other{listen_once, 1};
        listen_once(0);
        other.join();
        for (std::size_t i = 0; i < 2; ++i)
            if (names[i] != print(wanted[i]))
                return names[i] + " in place of " + print(wanted[i]);
    }
    return "ok";
}

/// Many threads wait in accept() at once; each writes its answer and goes on.
std::string accept_in_threads(int connections)
{
    std::atomic<int> left{connections};
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i)
        threads.emplace_back([&] {
            while (left.fetch_sub(1) > 0) {
                const int one = ::accept(listener, nullptr, nullptr);
                if (one < 0 || ::write(one, "thread\n", 7) != 7)
                    std::abort();
                ::close(one);
            }
        });
    for (auto& thread : threads)
        thread.join();
    return "ok";
}

std::string perform(const std::string& verb, const std::string& rest)
{
    if (verb == "socket")
        return make_socket(rest);
    if (verb == "use")
        return result(listener = listeners.at(std::stoul(rest)));
    if (verb == "bind") {
        auto address = parse(rest);
        return result(::bind(listener, address.data(), address.size));
    }
    if (verb == "connect") {
        auto address = parse(rest);
        return result(::connect(listener, address.data(), address.size));
    }
    if (verb == "listen")
        return result(::listen(listener, 128));
    if (verb == "non-block")
        return result(::fcntl(listener, F_SETFL, O_NONBLOCK));
    if (verb == "cloexec")
        return result(::fcntl(listener, F_SETFD, FD_CLOEXEC));
    if (verb == "flags")
        return flags_of(listener);
    if (verb == "name")
        return name_by(::getsockname, listener);
    if (verb == "listener-peer")
        return name_by(::getpeername, listener);
    if (verb == "option")
        return option(rest);
    if (verb == "set")
        return set(rest);
    if (verb == "set-option")
        return set_option(OptionStep{rest});
    if (verb == "get-option")
        return get_option(listener, OptionStep{rest});
    if (verb == "connection-option")
        return get_option(connection, OptionStep{rest});
    if (verb == "accept")
        return accept_one(rest);
    if (verb == "peer")
        return name_by(::getpeername, connection);
    if (verb == "local")
        return name_by(::getsockname, connection);
    if (verb == "close-connection")
        return result(::close(connection));
    if (verb == "shutdown")
        return result(::shutdown(listener, SHUT_RDWR));
    if (verb == "close")
        return result(::close(listener));
    if (verb == "dup")
        return result(listener = ::dup(listener));
    if (verb == "epoll-add")
        return add_to_epoll(0);
    if (verb == "epoll-add-edge")
        return add_to_epoll(EPOLLET);
    if (verb == "poll" || verb == "select" || verb == "epoll")
        return wait_by(verb, patience_ms);
    if (verb == "is-quiet")
        return wait_by(rest, 50);
    if (verb == "fill-descriptors")
        return fill_descriptors(rest.empty() ? 0 : std::stoul(rest));
    if (verb == "free-descriptors")
        return free_descriptors();
    if (verb == "close-from")
        return result(::close_range(static_cast<unsigned>(std::stoi(rest)), ~0U, 0));
    if (verb == "listen-in-threads")
        return listen_in_threads(std::chrono::milliseconds{std::stoi(rest)});
    if (verb == "threads")
        return accept_in_threads(std::stoi(rest));
    if (verb == "echo-environment") {
        const char* const value = std::getenv(rest.c_str());
        return value == nullptr ? "unset" : value;
    }
    if (verb == "wait") // for the test, which writes a line
        return std::getchar() == '\n' ? "ok" : "end";
    if (verb == "pause")
        return ::pause() < 0 ? result(-1) : "";
    return "unknown: " + verb;
}

} // namespace

int main(int argc, char** argv)
{
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    std::setvbuf(stdin, nullptr, _IONBF, 0);
    if (const char* const inherited = std::getenv("PROBE_LISTENER"))
        listeners.push_back(listener = std::atoi(inherited));

    for (int i = 1; i < argc; ++i) {
        const std::string step = argv[i];
        const auto blank = step.find(' ');
        const auto verb = step.substr(0, blank);
        if (verb == "fork") {
            // The child does the rest; its parent stays, as the one that forked a server does.
            if (const pid_t child = ::fork(); child != 0) {
                int status = 0;
                ::waitpid(child, &status, 0);
                return status == 0 ? 0 : 1;
            }
            continue;
        }
        if (verb == "exec") {
            ::setenv("PROBE_LISTENER", std::to_string(listener).c_str(), 1);
            argv[i] = argv[0];
            ::execv("/proc/self/exe", argv + i);
            return 1;
        }
        std::printf(
            "%s: %s\n", step.c_str(),
            perform(verb, blank == std::string::npos ? "" : step.substr(blank + 1)).c_str());
    }
}
