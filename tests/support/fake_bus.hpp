// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/fd/unique_fd.hpp"

#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace usher::test {

/// The master's end of a bus, in the process of its worker, by which a test speaks line by line.
///
/// Its constructor leaves descriptor and variable as they are in a worker after its start, for one
/// bus to take over; its destructor removes what nobody took.
class FakeBus {
public:
    FakeBus();
    FakeBus(const FakeBus&) = delete;
    FakeBus& operator=(const FakeBus&) = delete;
    ~FakeBus();

    /// Writes `text` as it is; to be read without waiting, so it must fit into the socket.
    void write(std::string_view text) const;

    /// Writes a line.
    void say(std::string_view line) const { write(std::string{line} + '\n'); }

    /// Answers the `hello` with which a bus is opened.  Throws std::logic_error if something else
    /// was said.
    void welcome();

    /// The whole lines that the worker has written since the last call.
    [[nodiscard]] std::vector<std::string> heard();

    [[nodiscard]] int fd() const noexcept { return fd_.get(); }
    [[nodiscard]] int given() const noexcept { return given_; } ///< the worker's end

    /// Ends the bus, as the kernel does for a master that is killed.
    void die() { fd_.reset(); }

private:
    sys::UniqueFd fd_;
    int given_;
    ino_t inode_ = 0;
    std::string text_; ///< of a line that has not ended
};

/// Another process of the worker, which has opened the bus and left half a line, until `end()`.
class OtherBusOwner {
public:
    explicit OtherBusOwner(const FakeBus& bus);
    OtherBusOwner(const OtherBusOwner&) = delete;
    OtherBusOwner& operator=(const OtherBusOwner&) = delete;
    ~OtherBusOwner() { end(); }

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    void end() noexcept;

private:
    pid_t pid_;
};

} // namespace usher::test
