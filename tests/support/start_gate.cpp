// SPDX-License-Identifier: MIT
#include "tests/support/start_gate.hpp"

#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace usher::test {

StartGate::StartGate()
{
    REQUIRE(::mkfifo(path().c_str(), 0600) == 0);
    opening_ = sys::UniqueFd{::open(path().c_str(), O_RDWR | O_CLOEXEC)};
    REQUIRE(opening_);
}

std::vector<std::string> StartGate::command() const
{
    return {"/bin/sh", "-c", "read line <\"$0\"; exec \"$1\"", path(), demo_program()};
}

void StartGate::let_start(std::size_t workers)
{
    const std::string lines(workers, '\n');
    REQUIRE(::write(opening_.get(), lines.data(), workers) == static_cast<ssize_t>(workers));
}

} // namespace usher::test
