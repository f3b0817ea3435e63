// SPDX-License-Identifier: MIT
#include "environment.hpp"

#include "common/wire/environment.hpp"

#include <charconv>
#include <cstdlib>
#include <limits>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>

#include <fcntl.h>

namespace usher::worker {

namespace {

namespace env = wire::env;

std::string text_of(const char* name)
{
    const char* const value = std::getenv(name);
    if (value == nullptr)
        throw std::runtime_error{std::string{name} + " is not set although " + env::protocol +
                                 " is: start this program with usher, or without both"};
    return value;
}

template <typename Number>
Number number_of(const char* name, Number highest = std::numeric_limits<Number>::max())
{
    const auto text = text_of(name);
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value > highest)
        throw std::runtime_error{std::string{name} + " is \"" + text + "\", which is no number"};
    return value;
}

/// Two owners of one number would close it twice.
void require_distinct_descriptors()
{
    const std::set<unsigned> numbers{number_of<unsigned>(env::handoff_fd),
                                     number_of<unsigned>(env::control_fd),
                                     number_of<unsigned>(env::scoreboard_fd)};
    if (numbers.size() != 3)
        throw std::runtime_error{std::string{env::handoff_fd} + ", " + env::control_fd + " and " +
                                 env::scoreboard_fd + " do not name three descriptors"};
}

sys::UniqueFd descriptor_of(const char* name)
{
    const auto number = number_of<unsigned>(name, std::numeric_limits<int>::max());
    const int fd = static_cast<int>(number);
    if (::fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        throw std::runtime_error{std::string{name} + " names descriptor " + std::to_string(fd) +
                                 ", which is not open"};
    return sys::UniqueFd{fd};
}

} // namespace

std::optional<Inheritance> take_inheritance()
{
    if (std::getenv(env::protocol) == nullptr)
        return std::nullopt;
    if (const auto spoken = number_of<int>(env::protocol); spoken != env::protocol_version)
        throw std::runtime_error{"the master speaks protocol " + std::to_string(spoken) +
                                 ", this program speaks " + std::to_string(env::protocol_version) +
                                 ": build it against the installed usher"};

    Identity identity{.pool = text_of(env::pool),
                      .slot = number_of<unsigned>(env::slot),
                      .id = number_of<std::uint64_t>(env::worker_id),
                      .generation = number_of<unsigned>(env::generation)};
    require_distinct_descriptors();
    auto handoff = descriptor_of(env::handoff_fd);
    auto control = descriptor_of(env::control_fd);
    const auto scoreboard_fd = descriptor_of(env::scoreboard_fd);
    auto scoreboard = Scoreboard::open(scoreboard_fd.get());
    if (!scoreboard.is_intact())
        throw std::runtime_error{"the scoreboard is of another version than this program's"};

    for (const char* const name :
         {env::protocol, env::handoff_fd, env::control_fd, env::scoreboard_fd, env::worker_id,
          env::slot, env::generation, env::pool})
        ::unsetenv(name);

    return Inheritance{.identity = std::move(identity),
                       .handoff = std::move(handoff),
                       .control = std::move(control),
                       .scoreboard = std::move(scoreboard)};
}

} // namespace usher::worker
