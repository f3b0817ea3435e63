// SPDX-License-Identifier: MIT
#include "balancer/dialect/preload/preload.hpp"

#include "common/handoff_address.hpp"
#include "common/scoreboard_page.hpp"
#include "common/sys/fd/trusted_place.hpp"
#include "common/sys/process/futex.hpp"
#include "common/sys/syscall.hpp"
#include "common/text/listen_address.hpp"
#include "common/wire/environment.hpp"
#include "common/wire/handoff.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <exception>
#include <filesystem>
#include <stdexcept>
#include <system_error>

#include <sys/stat.h>
#include <unistd.h>

namespace usher {

namespace {

namespace env = wire::env;
namespace fs = std::filesystem;

/// One queue has what has the same key.
std::string place_of(const sys::SocketAddress& address)
{
    return address.family() == AF_UNIX ? address.to_string()
                                       : "port " + std::to_string(address.port());
}

std::string describe(int number, int fd)
{
    struct stat status {};
    if (::fstat(fd, &status) < 0)
        sys::throw_last_error("fstat");
    return fmt::format("{}:{}", number, status.st_ino);
}

/// Who may put a program there need not be who may put something beside it.
bool may_be_of_others(const fs::path& library)
{
    sys::Place place;
    return sys::find_place(library, place) || place.strangers != sys::Strangers::none;
}

/// Where libusher-preload.so is: in the tree this program was built in, or installed with it, maybe
/// in a tree that has been moved since, or where it was to be installed.
std::string find_preload_library()
{
    std::error_code error;
    const auto own_folder = fs::read_symlink("/proc/self/exe", error).parent_path();
    // The programs of the tests stand beside usher there.
    const bool is_build = own_folder.filename() == "balancer" || own_folder.filename() == "tests";
    const auto beside = own_folder.parent_path() / (is_build ? "worker/preload" : USHER_LIBDIR);
    const std::array places{beside / USHER_PRELOAD_NAME,
                            fs::path{USHER_PREFIX} / USHER_LIBDIR / USHER_PRELOAD_NAME};
    for (const auto& place : places) {
        if (::access(place.c_str(), R_OK) < 0)
            continue;
        if (!is_build && place != places.back() && may_be_of_others(place))
            throw std::runtime_error{
                fmt::format("{} is not loaded into workers, because others may write to its folder "
                            "or one above it; install usher where only root or you may",
                            place.native())};
        // ld.so(8) splits LD_PRELOAD at both, and knows no way to quote them.
        if (place.native().find_first_of(" :") != std::string::npos)
            throw std::runtime_error{fmt::format("{} cannot be preloaded from a folder with a "
                                                 "blank or colon in its name; install usher "
                                                 "elsewhere",
                                                 place.native())};
        return place;
    }
    throw std::runtime_error{fmt::format(
        "dialect preload needs {}, which is neither in {} nor in {}; install usher "
        "completely, or build it",
        USHER_PRELOAD_NAME, places[0].parent_path().native(), places[1].parent_path().native())};
}

} // namespace

std::vector<std::uint8_t> assign_queues(const std::vector<sys::SocketAddress>& listeners)
{
    std::vector<std::string> places;
    std::vector<std::uint8_t> queues;
    for (const auto& listener : listeners) {
        const auto place = place_of(listener);
        const auto known = std::ranges::find(places, place);
        queues.push_back(static_cast<std::uint8_t>(known - places.begin()));
        if (known == places.end())
            places.push_back(place);
        if (places.size() > PreloadProgress::most_queues)
            throw std::runtime_error{
                fmt::format("dialect preload takes at most {} ports in a pool; make two pools",
                            PreloadProgress::most_queues)};
    }
    return queues;
}

void add_preload(std::map<std::string, std::string>& environment, const ResolvedPool& config,
                 const std::vector<sys::SocketAddress>& listeners,
                 const std::vector<int>& descriptors, int first_number)
{
    std::vector<std::string> names;
    for (const int fd : descriptors)
        names.push_back(describe(first_number++, fd));

    const auto queues = assign_queues(listeners);
    auto& lines = environment[env::preload_listeners];
    lines.clear();
    for (std::size_t i = 0; i < listeners.size(); ++i)
        lines += fmt::format("{} {}\n", names.at(queues[i]), listeners[i].to_string());
    if (listeners.empty())
        lines = names.front() + " *\n";
    if (config.dialect == Dialect::automatic)
        environment[env::preload_ask] = "dialect";
    environment[env::preload_control] = names.at(names.size() - 2);
    environment[env::preload_scoreboard] = names.back();
    environment[env::preload_end] =
        fmt::format("{} {}", config.stop_signal, config.drain_timeout.count());

    auto& preload = environment["LD_PRELOAD"];
    preload = find_preload_library() + (preload.empty() ? "" : ":" + preload);
    // A program with AddressSanitizer would refuse to start, since its library is no longer the
    // first; that the shim is before it does no harm.
    auto& sanitizer = environment["ASAN_OPTIONS"];
    sanitizer += std::string{sanitizer.empty() ? "" : ":"} + "verify_asan_link_order=0";
}

void write_shim_address(std::array<unsigned char, 28>& out,
                        const sys::SocketAddress& address) noexcept
{
    std::array<std::byte, wire::handoff_record_size> record{};
    wire::encode_record(record, {.peer = to_wire(address)});
    constexpr std::size_t peer = 24; // its place in a record
    std::memcpy(out.data(), record.data() + peer, out.size());
}

void answer_shim(ScoreboardPage& page, std::uint32_t number, std::uint32_t verdict,
                 const sys::SocketAddress& address) noexcept
{
    auto& answer = page.answers[number % page.answers.size()];
    write_shim_address(answer.address, address);
    answer.verdict = verdict;
    answer.question.store(number, std::memory_order_release);
    sys::futex_wake_all(answer.question);
}

std::optional<sys::SocketAddress> parse_tcp_address(std::string_view text)
{
    namespace ip = boost::asio::ip;
    try {
        const auto where = parse_listen_address(text);
        if (where.kind == ListenAddress::Kind::unix_path ||
            where.kind == ListenAddress::Kind::unix_name)
            return std::nullopt;
        ip::address host = ip::address_v6::any();
        if (where.kind == ListenAddress::Kind::host)
            host = where.host == "localhost" ? ip::address_v4::loopback()
                                             : ip::make_address(where.host);
        if (host.is_v6() && host.to_v6().is_v4_mapped())
            host = ip::make_address_v4(ip::v4_mapped, host.to_v6());
        const ip::tcp::endpoint endpoint{host, where.port};
        return sys::SocketAddress{endpoint.data(), static_cast<socklen_t>(endpoint.size())};
    } catch (const std::exception&) {
        return std::nullopt;
    }
}

std::string explain_missing(const std::vector<sys::SocketAddress>& listeners,
                            std::uint64_t progress)
{
    if ((progress & PreloadProgress::loaded) == 0)
        return "libusher-preload.so was not loaded into it: is what it runs in the end statically "
               "linked or set-user-id, or was it started with another environment?";

    const auto queues = assign_queues(listeners);
    if (queues.empty() || queues.back() == 0)
        return "it has not listened on any port; if it has, it was started without our environment "
               "or descriptors; if it is not to, as a queue worker, its dialect is none";
    std::string missing;
    for (std::size_t i = 0; i < listeners.size(); ++i) {
        const auto place = place_of(listeners[i]);
        if ((progress & PreloadProgress::listens(queues[i])) == 0 &&
            missing.find(place) == std::string::npos)
            missing += (missing.empty() ? "" : ", ") + place;
    }
    return "it has not listened on " + missing +
           "; a pool with several listeners needs a program that listens at the same places";
}

} // namespace usher
