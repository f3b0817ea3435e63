// SPDX-License-Identifier: MIT
#include "common/sys/process/process_memory.hpp"

#include "common/sys/fd/unique_fd.hpp"
#include "common/sys/syscall.hpp"

#include <array>
#include <charconv>
#include <cstdio>
#include <string_view>

#include <fcntl.h>
#include <unistd.h>

namespace usher::sys {

std::error_code proportional_set_size(pid_t pid, std::uint64_t& bytes) noexcept
{
    std::array<char, 64> path;
    std::snprintf(path.data(), path.size(), "/proc/%d/smaps_rollup", static_cast<int>(pid));
    const UniqueFd file{::open(path.data(), O_RDONLY | O_CLOEXEC)};
    if (!file)
        return last_error();

    std::array<char, 4096> buffer; // it has some 25 short lines
    const auto size =
        retry_on_eintr([&] { return ::read(file.get(), buffer.data(), buffer.size()); });
    if (size < 0)
        return last_error();

    constexpr std::string_view key = "\nPss:"; // in kB, behind blanks
    const std::string_view text{buffer.data(), static_cast<std::size_t>(size)};
    const auto line = text.find(key);
    const auto number =
        line == std::string_view::npos ? line : text.find_first_not_of(' ', line + key.size());
    if (number == std::string_view::npos) // a process that is ending has no memory left
        return std::make_error_code(std::errc::no_such_process);
    std::uint64_t kib = 0;
    std::from_chars(text.data() + number, text.data() + text.size(), kib);
    bytes = kib * 1024;
    return {};
}

} // namespace usher::sys
